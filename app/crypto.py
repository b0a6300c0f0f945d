"""Encryption at rest and keyed hashes.

AES-256-GCM under a versioned key; the context is authenticated, so a value copied into another row or column
does not decrypt. A person has a key of her own (kept wrapped): destroying it makes what she wrote into
append-only tables unreadable.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Undecryptable(Exception):
    """The value was not written under this key and context, or was altered."""


class Keyring:
    """The keys of the installation: `{version: 32 bytes}` for data, one key for hashes."""

    def __init__(self, data_keys: dict[int, bytes], hash_key: bytes) -> None:
        self._ciphers = {version: AESGCM(key) for version, key in data_keys.items()}
        self._newest = max(data_keys)
        self._hash_key = hash_key

    def encrypt(self, plain: bytes, context: str) -> bytes:
        """version byte ‖ nonce ‖ ciphertext, under the newest key."""
        return bytes([self._newest]) + seal(self._ciphers[self._newest], plain, context)

    def decrypt(self, sealed: bytes, context: str) -> bytes:
        """What `encrypt` was given. Raises Undecryptable."""
        cipher = self._ciphers.get(sealed[0]) if sealed else None
        if cipher is None:
            raise Undecryptable(context)
        return unseal(cipher, sealed[1:], context)

    def keyed_hash(self, value: str, purpose: str) -> bytes:
        """HMAC-SHA256 for lookup: 32 bytes; equal values under one purpose are equal, nothing else shows."""
        return hmac.digest(self._hash_key, f"{purpose}\0{value}".encode(), hashlib.sha256)


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
