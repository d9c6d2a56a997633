"""Files that become visible whole or not at all, and the sweeping up behind processes that were killed.

Where the file system can (O_TMPFILE: ext4, xfs, btrfs, tmpfs), a staged file has no name at all until it is whole: a
process that is killed leaves nothing. Elsewhere it has a hidden name, and is locked by the process that writes it. The
kernel lets go of the lock when that process dies, however it dies, so a file that can be locked has no owner. Neither
process ids nor ages are guessed at.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from media import sync_folder

PREFIX, SUFFIX = ".assay-", ".partial"
_UMASK_LINE = "Umask:"


class StagedFile:
    """A new file in `folder`, nameless or hidden; `commit` gives it its real name, leaving without one deletes it.

    Use as a context manager. `path` opens it while it is staged. Raises OSError as the file system does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        nameless = _create_nameless(folder)
        self._nameless = nameless is not None
        self.path, descriptor = nameless or _create_locked(folder)
        self.file: BinaryIO = os.fdopen(descriptor, "w+b")
        self._committed = False

    def __enter__(self) -> StagedFile:
        return self

    def seal(self) -> None:
        """Brings every byte to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def commit(self, destination: Path) -> None:
        """Gives the file its real name and mode, atomically, and brings the folder's entry to the disk."""
        os.fchmod(self.file.fileno(), 0o666 & ~_umask())
        if self._nameless:
            # A link cannot replace a file, a rename can: whole and locked, it is hidden for the moment between the two.
            staged, self.path = self.path, _hidden(self.folder)
            _link(staged, self.path)
        os.replace(self.path, destination)
        self._committed = True
        sync_folder(self.folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._committed and self.path.parent == self.folder:
            self.path.unlink(missing_ok=True)
        try:
            self.file.close()  # the lock goes with it
        except OSError:
            if self._committed:  # a deleted file may fail to flush its last bytes: a full disk, already reported
                raise


def _hidden(folder: Path) -> Path:
    return folder / f"{PREFIX}{secrets.token_hex(12)}{SUFFIX}"


def _link(staged: Path, name: Path) -> None:
    """Gives a nameless file a name. Only with a folder named does os.link follow /proc's link to the file."""
    descriptors = os.open(staged.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(staged.name, name, src_dir_fd=descriptors, follow_symlinks=True)
    finally:
        os.close(descriptors)


def _create_nameless(folder: Path) -> tuple[Path, int] | None:
    """A file that no folder lists, and the path by which this process opens it; None where that cannot be had."""
    if not hasattr(os, "O_TMPFILE"):
        return None
    try:
        descriptor = os.open(folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            return None  # an old kernel or a file system without it; a missing folder is reported by the other way
        raise
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return Path(f"/proc/self/fd/{descriptor}"), descriptor


def _create_locked(folder: Path) -> tuple[Path, int]:
    while True:
        path = _hidden(folder)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # a sweep came between creating and locking, and took it for an orphan


def sweep(folder: Path) -> tuple[Path, ...]:
    """Deletes the staged files in `folder` whose process is dead; returns what was deleted. Call it at start-up."""
    removed = []
    for path in sorted(folder.glob(f"{PREFIX}*{SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # committed or swept meanwhile, a link, or another account's
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                continue
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its owner lives
        else:
            path.unlink(missing_ok=True)
            removed.append(path)
        finally:
            os.close(descriptor)
    return tuple(removed)


def _umask() -> int:
    """The process's umask without setting it: setting is the portable way to ask, and races with other threads."""
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith(_UMASK_LINE):
            return int(line[len(_UMASK_LINE) :], 8)
    return 0o077
