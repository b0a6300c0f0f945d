"""Where the bytes of photos and files lie: a folder, or any S3-compatible store. Bytes in, bytes out."""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

# Small letters, because some file systems don't tell large from small; short, because the folder makes one
# file name of the whole key and file names end at 255 bytes.
_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*", re.ASCII)
MAX_KEY_LENGTH = 200


class ObjectMissing(Exception):
    """There is nothing under this key."""


class StorageUnavailable(Exception):
    """The store did not answer, is full, or refuses us: try again later; the data is not at fault."""


class BadStorageUrl(ValueError):
    """STORAGE_URL can't be understood; one sentence, without the secret."""


class Storage(Protocol):
    """Objects by key. Every method raises StorageUnavailable, and ValueError for a key of the wrong form."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Stores the object under `key`, replacing what is there; a reader sees the old one or the new."""

    def get(self, key: str) -> bytes:
        """The object; ObjectMissing."""

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens when it is not there."""

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""

    def is_empty(self) -> bool:
        """Whether it holds nothing at all: what a restore may write into."""

    def healthy(self) -> bool:
        """Whether the store can be reached and used now. Never raises; may take the store's time-outs."""


def check_key(key: str) -> str:
    """`key` itself; ValueError unless it is parts of a-z 0-9 _ . - joined by slashes, at most 200 characters.

    No part begins with a dot, so that no key climbs out of a folder or hides in it.
    """
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise ValueError(f"not a storage key: {key[:40]!r}")
    return key


def from_url(url: str) -> Storage:
    """The store that STORAGE_URL names; an S3 store is connected to on first use.

    `folder:/absolute/path`, or `s3://KEY:SECRET@host[:port]/bucket?region=…&tls=0` (KEY and SECRET
    percent-encoded; region us-east-1 and tls 1 unless said). Raises BadStorageUrl.
    """
    # The implementations are imported when they are chosen: most processes need one of them.
    if url.startswith("folder:"):
        from app.adapters.storage.folder import FolderStorage

        path = url.removeprefix("folder:")
        if not path.startswith("/") or "\x00" in path:
            raise BadStorageUrl(
                "STORAGE_URL: folder: needs an absolute path, as in folder:/var/lib/jiayuan/photos."
            )
        return FolderStorage(path)
    if url.startswith("s3://"):
        return _s3_from_url(url)
    raise BadStorageUrl("STORAGE_URL must begin with folder:/ or s3://.")


def _s3_from_url(url: str) -> Storage:
    from app.adapters.storage.s3 import S3Storage

    form = "s3://KEY:SECRET@host:port/bucket?region=…&tls=0, with KEY and SECRET percent-encoded"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        options = parse_qs(parts.query, strict_parsing=bool(parts.query), keep_blank_values=True)
    except ValueError as e:
        # Without the cause: its text may quote the secret (an unencoded slash makes it a port).
        del e
        raise BadStorageUrl(f"STORAGE_URL is not of the form {form}.") from None
    bucket = parts.path.strip("/")
    if not (host and parts.username and parts.password):
        raise BadStorageUrl(f"STORAGE_URL lacks the host, the key or the secret: {form}.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise BadStorageUrl(
            "STORAGE_URL names no bucket: 3 to 63 small letters, digits, dots, hyphens after the host."
        )
    unknown = sorted(set(options) - {"region", "tls"})
    if unknown:
        raise BadStorageUrl(f"STORAGE_URL has an unknown option {unknown[0]!r}; region and tls are known.")
    tls = options.get("tls", ["1"])[-1]
    if tls not in ("0", "1"):
        raise BadStorageUrl("STORAGE_URL: tls is 0 or 1.")
    if ":" in host:
        host = f"[{host}]"
    return S3Storage(
        endpoint=f"{'https' if tls == '1' else 'http'}://{host}{f':{port}' if port else ''}",
        bucket=bucket,
        region=options.get("region", ["us-east-1"])[-1],
        access_key=unquote(parts.username),
        secret=unquote(parts.password),
    )
