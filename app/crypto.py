"""Encryption at rest and keyed hashes.

AES-256-GCM under a versioned key; the context is authenticated, so a value copied into another row or column
does not decrypt. A person has a key of her own (kept wrapped): destroying it makes what she wrote into
append-only tables unreadable.

Each value names its algorithm and its key: 0 ‖ algorithm ‖ key version ‖ nonce ‖ ciphertext, a byte each for the first
three. Values from before that begin with the key version (1 to 255) and are AES-256-GCM.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from string import Formatter
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

AES_256_GCM = 1  # algorithms by their byte; a second one (SM4) would get the next number
_MARKED = 0  # the first byte of a value that names its algorithm; no key version is 0
_NONCE = 12
_BLOCK = 64  # bytes of SHA-256's
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Undecryptable(Exception):
    """The value was not written under this key and context, or was altered."""


class Keyring:
    """The keys of the installation: `{version: 32 bytes}` for data, one key for hashes."""

    def __init__(self, data_keys: dict[int, bytes], hash_key: bytes) -> None:
        self._ciphers = {version: AESGCM(key) for version, key in data_keys.items()}
        self._newest = max(data_keys)
        key = (hashlib.sha256(hash_key).digest() if len(hash_key) > _BLOCK else hash_key).ljust(_BLOCK, b"\0")
        self._inner, self._outer = (hashlib.sha256(bytes(byte ^ pad for byte in key)) for pad in (0x36, 0x5C))

    def encrypt(self, plain: bytes, context: str) -> bytes:
        """The value under the newest key; it begins with `newest_prefix`."""
        return self.newest_prefix + seal(self._ciphers[self._newest], plain, context)

    def decrypt(self, sealed: bytes, context: str) -> bytes:
        """What `encrypt` was given, under whichever key. Raises Undecryptable."""
        version, body = sealed[:1], sealed[1:]
        if version == bytes([_MARKED]):
            if sealed[1:2] != bytes([AES_256_GCM]):
                raise Undecryptable(context)
            version, body = sealed[2:3], sealed[3:]
        cipher = self._ciphers.get(version[0]) if version else None
        if cipher is None:
            raise Undecryptable(context)
        return unseal(cipher, body, context)

    @property
    def newest_prefix(self) -> bytes:
        """What every value under the newest key begins with, and no other."""
        return bytes([_MARKED, AES_256_GCM, self._newest])

    @property
    def versions(self) -> list[int]:
        """The versions of the data keys at hand, the newest last."""
        return sorted(self._ciphers)

    def keyed_hash(self, value: str, purpose: str) -> bytes:
        """HMAC-SHA256 for lookup: 32 bytes; equal values under one purpose are equal, nothing else shows."""
        # RFC 2104 by hand: the library begins with the key each time, which takes four times as long.
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{purpose}\0{value}".encode())
        outer.update(inner.digest())
        return outer.digest()


def seal(cipher: AESGCM, plain: bytes, context: str) -> bytes:
    """nonce ‖ ciphertext under an explicit cipher."""
    nonce = os.urandom(_NONCE)
    return nonce + cipher.encrypt(nonce, plain, context.encode())


def unseal(cipher: AESGCM, sealed: bytes, context: str) -> bytes:
    """What `seal` was given. Raises Undecryptable."""
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())
    except (InvalidTag, ValueError) as e:
        raise Undecryptable(context) from e


class _Contexts(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "ms" and isinstance(value, datetime):
            return str((value - _EPOCH) // timedelta(milliseconds=1))
        return str(super().format_field(value, format_spec))


def context_of(template: str, row: Mapping[str, Any]) -> str:
    """What a sealed column of this row is bound to, from the template that the column declares (`db.sealed`)."""
    return _Contexts().vformat(template, (), row)


_keyring: Keyring | None = None


def configure(keyring: Keyring) -> None:
    """Make this the process's keyring (called once by `app.boot`)."""
    global _keyring
    _keyring = keyring


def keys() -> Keyring:
    """The process's keyring."""
    if _keyring is None:
        raise RuntimeError("app.boot() has not run")
    return _keyring
