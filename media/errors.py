"""The root of Assay's errors, drawn as a tree. The lowest layer holds it so that every layer can raise its own kind.

AssayError                     exit 4, HTTP 5xx: no decision was reached
├── UsageError                 exit 1, HTTP 4xx: the request itself is malformed
├── MediaError                 a file that cannot be read, decoded or encoded
├── PolicyError                a policy document that breaks the schema            (safety)
├── ModelUnavailable           a configured model that cannot be loaded            (safety)
├── CorruptRecord              a stored score or decision that was changed         (safety)
├── ReplayRefused              stored scores that another policy must not judge    (safety)
├── GenerationError            the generator raised, or was asked the impossible   (generator)
├── StageTimeout, WorkerDied   a stage ran past its deadline or took its process down (assay)
└── SigningError               exit 5: nothing was published                       (provenance)
"""


class AssayError(Exception):
    """Base of every error that Assay raises on purpose; its text names the input and the remedy."""


class UsageError(AssayError):
    """The request is malformed; the text says what to write instead."""


class MediaError(AssayError):
    """A media file that cannot be read, decoded or encoded; the text names the file."""
