"""Objects as files in one folder, for a single machine or a shared file system."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from pathlib import Path

from app.adapters.storage import ObjectMissing, StorageUnavailable, check_key

_STALE_AFTER_S = 3600
_ORIGINAL = 1 << 20  # bytes: what is so large is a photo as it came from the camera


class FolderStorage:
    """`objects/ab/cd/<key>` below `path`, where abcd begins the key's SHA-256: no folder grows large.

    A slash of the key is written `+`, so that `a` and `a/b` can both exist. The content type is not kept: who
    stores an object knows what it is.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._objects = Path(path) / "objects"
        self._unfinished = Path(path) / "unfinished"
        self._next_cleaning = 0.0
        # Only here, never by a later write: below a disk that got unmounted photos would disappear.
        with contextlib.suppress(OSError):  # `healthy` and the first use say so
            for folder in (self._objects, self._unfinished):
                folder.mkdir(mode=0o750, parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"FolderStorage({str(self._objects.parent)!r})"

    def put(self, key: str, data: bytes, content_type: str) -> None:  # noqa: ARG002 - part of the Protocol
        """Whole or not at all, also when the process or the machine dies in the middle."""
        target = self._file(key)
        try:
            self._write(target, data)
        except OSError as e:
            raise StorageUnavailable(f"storage folder: {e.strerror or 'cannot write'}") from e

    def get(self, key: str) -> bytes:
        """The object; ObjectMissing."""
        target = self._file(key)
        try:
            return target.read_bytes()
        except FileNotFoundError as e:
            self._require_folder()
            raise ObjectMissing(key) from e
        except OSError as e:
            raise StorageUnavailable(f"storage folder: {e.strerror or 'cannot read'}") from e

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens when it is not there."""
        target = self._file(key)
        try:
            target.unlink(missing_ok=True)
        except OSError as e:
            raise StorageUnavailable(f"storage folder: {e.strerror or 'cannot delete'}") from e

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""
        try:
            self._file(key).stat()
        except FileNotFoundError:
            self._require_folder()
            return False
        except OSError as e:
            raise StorageUnavailable(f"storage folder: {e.strerror or 'cannot read'}") from e
        return True

    def is_empty(self) -> bool:
        """Whether there is no object; unfinished ones don't count."""
        self._require_folder()
        try:
            return not any(path.is_file() for path in self._objects.rglob("*"))
        except OSError as e:
            raise StorageUnavailable(f"storage folder: {e.strerror or 'cannot read'}") from e

    def healthy(self) -> bool:
        """Whether a file can be written and removed now."""
        try:
            probe = self._write_unfinished(b"probe")
            probe.unlink()
        except OSError:
            return False
        return True

    def _require_folder(self) -> None:
        """A disk that is not mounted must not look like photos that were never there."""
        if not self._objects.is_dir():
            raise StorageUnavailable("storage folder: not there")

    def _file(self, key: str) -> Path:
        digest = hashlib.sha256(check_key(key).encode()).hexdigest()
        return self._objects / digest[:2] / digest[2:4] / key.replace("/", "+")

    def _write(self, target: Path, data: bytes) -> None:
        unfinished = self._write_unfinished(data)
        try:
            # A rename and a new folder are entries of the folder above: a power cut can undo them until that
            # one is synced.
            changed = [target.parent]
            if not target.parent.is_dir():
                if _made(target.parent.parent):
                    changed.append(self._objects)
                _made(target.parent)
                changed.append(target.parent.parent)
            unfinished.replace(target)
            for folder in changed:
                _sync_folder(folder)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def _write_unfinished(self, data: bytes) -> Path:
        self._clean()
        unfinished = self._unfinished / secrets.token_hex(16)
        try:
            with unfinished.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if len(data) >= _ORIGINAL and hasattr(os, "posix_fadvise"):
                    # Read once more, by the photo worker, and then by hardly anybody: in memory they would take the
                    # place of what everybody reads. The next one gets these very pages, warm: on a virtual machine,
                    # whose memory the host hands out page by page, new ones made up nine tenths of a write's time.
                    with contextlib.suppress(OSError):  # some file systems don't know it
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        return unfinished

    def _clean(self) -> None:
        """Removes what killed writers left, now and then."""
        if time.monotonic() < self._next_cleaning:
            return
        self._next_cleaning = time.monotonic() + _STALE_AFTER_S
        oldest = time.time() - _STALE_AFTER_S
        for left in self._unfinished.iterdir():
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < oldest:
                    left.unlink()


def _made(folder: Path) -> bool:
    """Whether it is there now and wasn't before."""
    try:
        folder.mkdir(mode=0o750)
    except FileExistsError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
