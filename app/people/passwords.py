"""Passwords: argon2id at OWASP's parameters (t=2, m=19 MiB, p=1; 24 ms)."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.people.errors import WeakPassword

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# The commonest long ones; the registry issue brings the whole breached list.
_COMMON = frozenset(
    {"123456789012", "password1234", "qwertyuiopas", "111111111111", "000000000000", "adminadmin12"}
)


def hash_password(password: str) -> str:
    """The stored form. Raises WeakPassword below 12 characters or for a common one."""
    if len(password) < 12 or password.lower() in _COMMON or len(set(password)) < 4:
        raise WeakPassword
    return _HASHER.hash(password)


def matches(stored: str, password: str) -> bool:
    """Does the password belong to the stored hash?"""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def nobody() -> str:
    """The hash that an unknown account is checked against, so that its answer takes as long."""
    return _HASHER.hash("nobody has this password")
