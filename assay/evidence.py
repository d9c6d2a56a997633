"""Evidence packages: what of a quarantined item leaves the house, and the plainest receiver, a folder."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from assay.outcome import Outcome
from assay.quarantine import Evidence, Package
from assay.sealed import SealBroken
from media import UsageError


@dataclass(frozen=True)
class FolderReporter:
    """Writes the package into a new folder (0700): `evidence.json`, and the content where it is part of it."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder, as the log names it."""
        return f"folder {self.folder.absolute()}"

    def report(self, package: Package) -> str:
        """The folder appears whole or not at all; UsageError where it exists or cannot be written."""
        staged = self.folder.with_name(f".{self.folder.name}.{secrets.token_hex(6)}.partial")
        try:
            staged.mkdir(mode=0o700)
            record = {**package.record, "content_included": package.content is not None}
            _private(staged / "evidence.json", json.dumps(record, indent=1).encode())
            if package.content is not None:
                self._write_content(staged, package)
            os.mkdir(self.folder, 0o700)  # it must not exist: a package is never mixed with another
            os.replace(staged, self.folder)
        except OSError as error:
            raise UsageError(f"{self.folder}: {error.strerror}; name a folder that does not exist yet") from error
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return str(self.folder.absolute())

    def _write_content(self, staged: Path, package: Package) -> None:
        digest = hashlib.sha256()
        assert package.content is not None
        with open(os.open(staged / "content.bin", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            for chunk in package.content:
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != package.record["sha256"]:
            raise SealBroken(f"the content of {package.id} is not what its record says")


def evidence_of(outcome: Outcome, kind: str, name: str) -> Evidence:
    """What was found of an item: the decisions with their reasons, who looked, and under which policy."""
    record = {
        "job": outcome.job,
        "judged_sha256": outcome.sha256,  # of the video whose frames were looked at
        "decisions": [decision.to_json() for decision in outcome.decisions],
        "posture": [entry.to_json() for entry in outcome.posture],
        "policy": outcome.decisions[-1].policy if outcome.decisions else None,
    }
    return Evidence(kind, name, record)


def _private(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
