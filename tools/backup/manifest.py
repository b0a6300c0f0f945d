"""What a backup says of itself: one JSON file, and its MAC under a key that lies with the keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 1
MANIFEST, MAC = "manifest.json", "manifest.mac"
DATABASE, FILES, LIST = "database.dump", "files", "files.jsonl"

_KEY_CHECK = b"jiayuan-backup-key-v1"
_MANIFEST_KEY = b"jiayuan-backup-manifest-v1"


class BackupError(Exception):
    """It can't go on; the text is one sentence for whoever started it."""


@dataclass(frozen=True)
class Manifest:
    """Times are RFC 3339 in UTC; `snapshot_at` is the moment whose rows the backup holds.

    `keys`: the version of each data key, and `hash`, each with a word that only that key gives. `absent`: files that a
    row named and the store didn't have.
    """

    format: int
    began_at: str
    snapshot_at: str
    finished_at: str
    migration: str
    postgres: str
    roles: list[str]
    database_sha256: str
    database_bytes: int
    rows: dict[str, int]
    list_sha256: str
    files: int
    files_bytes: int
    absent: list[str]
    keys: dict[str, str]

    def write(self, folder: Path, hash_key: bytes) -> None:
        """The last files of a backup: without them it is none."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True).encode() + b"\n"
        write_durably(folder / MAC, (_mac(text, hash_key) + "\n").encode())
        write_durably(folder / MANIFEST, text)


def read(folder: Path) -> Manifest:
    """What `write` wrote, without a look at its MAC. Raises BackupError."""
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        held = Manifest(**found)
    except FileNotFoundError:
        raise BackupError(f"{folder} holds no whole backup: {MANIFEST} is missing.") from None
    except (OSError, ValueError, TypeError) as error:
        raise BackupError(f"{folder / MANIFEST} is damaged ({type(error).__name__}).") from error
    if held.format != FORMAT:
        raise BackupError(f"{folder} was made in form {held.format}, and this program reads form {FORMAT}.")
    return held


def require_authentic(folder: Path, hash_key: bytes) -> None:
    """Return when the manifest is the one that was written under this HASH_KEY. Raises BackupError."""
    try:
        said = (folder / MAC).read_text(encoding="ascii").strip()
        text = (folder / MANIFEST).read_bytes()
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder / MAC} is missing or damaged.") from error
    if not hmac.compare_digest(said, _mac(text, hash_key)):
        raise BackupError(f"{folder / MANIFEST} was changed after the backup was made.")


def _mac(text: bytes, hash_key: bytes) -> str:
    key = hmac.digest(hash_key, _MANIFEST_KEY, "sha256")
    return hmac.digest(key, text, "sha256").hex()


def key_words(environment: Mapping[str, str]) -> dict[str, str]:
    """For each data key by its version, and for `hash`, the word that tells it from any other. Raises BackupError."""
    try:
        keys = dict(part.strip().split(":", 1) for part in environment["DATA_KEYS"].split(","))
        keys["hash"] = environment["HASH_KEY"]
        return {
            name: hmac.digest(base64.b64decode(key, validate=True), _KEY_CHECK, "sha256").hex()[:16]
            for name, key in keys.items()
        }
    except (KeyError, ValueError, binascii.Error):
        raise BackupError("DATA_KEYS or HASH_KEY is missing or can't be read.") from None


def sha256_of(path: Path) -> str:
    """Hex, of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Entry:
    """One file of the store, in the list."""

    key: str
    bytes: int
    sha256: str

    @property
    def path(self) -> str:
        """Where it lies below the backup's folder; no folder grows large."""
        return f"{FILES}/{hashlib.sha256(self.key.encode()).hexdigest()[:2]}/{self.key.replace('/', '+')}"


def entries(folder: Path) -> Iterator[Entry]:
    """The files that the list names. Raises BackupError."""
    from app.adapters.storage import check_key

    try:
        with (folder / LIST).open(encoding="ascii") as lines:
            for line in lines:
                entry = Entry(**json.loads(line))
                check_key(entry.key)  # a path is made of it
                yield entry
    except (OSError, ValueError, TypeError) as error:
        raise BackupError(f"{folder / LIST} is damaged ({type(error).__name__}).") from error


def write_durably(path: Path, data: bytes) -> None:
    """Whole and on the disk, for our user alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def new_folder(path: Path, what: str) -> None:
    """Make a folder of our own, which nobody else may enter. Raises BackupError when something is in it already."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise BackupError(f"{path} is not empty: {what} only goes into a new or empty folder.")
        path.chmod(0o700)
    except OSError as error:
        raise BackupError(f"{path} can't be used: {error.strerror}.") from error
