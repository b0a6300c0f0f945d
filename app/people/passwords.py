"""Passwords: argon2id at OWASP's parameters (t=2, m=19 MiB, p=1; 24 ms), and which ones may be chosen.

ASVS 5.0 6.2: at least 12 characters, any characters, none of the common ones, no rotation and no composition
unless an audit asks for them.
"""

from __future__ import annotations

import itertools
import secrets
import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.people.errors import PasswordTooSimple, WeakPassword

LEAST = 12
_HASHERS = {
    "owasp": PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1),
    "cheap": PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),  # tests log in hundreds of times
}
_chosen = "owasp"
# Of the demonstration's accounts; it stands in the README, so it opens nothing but a demonstration.
DEMO_PASSWORD = "jiayuan-demo-2026"  # noqa: S105
_demo = False
# 30,000 of the commonest in known breaches; `tools.common_passwords` makes the file.
_LIST = Path(__file__).parent / "data" / "common_passwords.txt"
_PIECE = 3  # shorter ones of the list are parts of every word
# Neither 0/O nor 1/l/I: it is read aloud or copied from paper.
_READABLE = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def configure(cost: str, *, demo: bool = False) -> None:
    """How dear the hashes of this process are: `owasp`, or `cheap`, which the settings allow to tests only. `demo`: the
    password that stands in the README is one.
    """
    global _chosen, _demo
    _chosen, _demo = cost, demo


@cache
def _common() -> frozenset[str]:
    _head, _, words = _LIST.read_text(encoding="utf-8").partition("\n\n")
    return frozenset(words.split())


def check(password: str, *, account: str = "", classes: int = 0) -> None:
    """May this be chosen? Raises WeakPassword below 12 characters, for a common one, and for one that is only two
    common ones, runs ("1234", "aaaa") or the account name put together; PasswordTooSimple for fewer kinds of
    characters than `classes`.
    """
    plain = unicodedata.normalize("NFKC", password).lower()
    core = plain.strip("".join(c for c in set(plain) if not c.isalnum()))
    if len(password) < LEAST or _is_published(password) or plain in _common() or _is_piece(core, account):
        raise WeakPassword
    if any(_is_piece(core[:cut], account) and _is_piece(core[cut:], account) for cut in range(1, len(core))):
        raise WeakPassword
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    if sum(any(kind(c) for c in password) for kind in kinds) < classes:
        raise PasswordTooSimple(classes=classes)


def _is_piece(text: str, account: str) -> bool:
    """Would somebody who guesses try this as one thing?"""
    if len(text) < _PIECE:
        return True
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(text)}
    return text in _common() or text == account.lower() or (len(steps) == 1 and steps <= {-1, 0, 1})


def hash_password(password: str, *, account: str = "", classes: int = 0) -> str:
    """The stored form of a password that `check` lets pass. Raises what it raises."""
    check(password, account=account, classes=classes)
    return _HASHERS[_chosen].hash(password)


def given_out() -> str:
    """A password for one first login: 16 characters, 92 bits, easy to copy by hand."""
    while True:
        made = "".join(secrets.choice(_READABLE) for _ in range(16))
        # Whatever kinds of characters the installation asks for; the dash is the fourth.
        if (
            any(c.isdigit() for c in made)
            and any(c.isupper() for c in made)
            and any(c.islower() for c in made)
        ):
            return f"{made[:8]}-{made[8:]}"


def matches(stored: str, password: str) -> bool:
    """Does the password belong to the stored hash? That of the demonstration belongs to none anywhere else."""
    try:
        return _HASHERS[_chosen].verify(stored, password) and not _is_published(password)
    except (VerificationError, InvalidHashError):
        return False


def _is_published(password: str) -> bool:
    return password == DEMO_PASSWORD and not _demo


def nobody() -> str:
    """The hash that an unknown account is checked against, so that its answer takes as long."""
    return _nobody(_chosen)


@cache
def _nobody(cost: str) -> str:
    return _HASHERS[cost].hash("nobody has this password")
