"""Our own reading of an access token and the library's agree on every token, however it was bent."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any
from uuid import UUID

import jwt
from hypothesis import example, given
from hypothesis import strategies as st

from app.people import tokens
from app.people.errors import BadToken
from app.people.tokens import Access

SECRET = "a-secret-of-more-than-thirty-two-letters"
WHO = Access(UUID(int=7), UUID(int=9))
GOOD = tokens.access_token(WHO.resident_id, WHO.session_id, secret=SECRET, seconds=86_400)


HEADERS = (
    {"alg": "HS256", "typ": "JWT"},
    {"typ": "JWT", "alg": "HS256"},
    {"alg": "HS256"},
    {"alg": "HS256", "typ": "JWT", "kid": "../../dev/null"},
    {"alg": "HS512", "typ": "JWT"},
    {"alg": "none", "typ": "JWT"},
)


def read(token: str) -> Access | None:
    try:
        return tokens.read_access_token(token, secret=SECRET)
    except BadToken:
        return None


def by_the_library(token: str) -> Access | None:
    try:
        claims = jwt.decode(
            token,
            SECRET,
            algorithms=["HS256"],
            audience="jiayuan-resident",
            options={"require": ["exp", "sub", "aud"], "verify_iat": False},
        )
        return Access(UUID(claims["sub"]), UUID(claims["sid"]))
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError):
        return None


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def test_a_token_of_ours_says_who_carries_it() -> None:
    assert read(GOOD) == by_the_library(GOOD) == WHO


@given(at=st.integers(0, len(GOOD) - 1), letter=st.characters())
@example(at=len(GOOD) - 1, letter="=")
@example(at=len(GOOD) - 1, letter="\n")
def test_a_token_with_one_letter_changed_is_none(at: int, letter: str) -> None:
    bent = GOOD[:at] + letter + GOOD[at + 1 :]
    assert read(bent) == (WHO if bent == GOOD else None)


@given(st.text() | st.text(alphabet="eyJhbGciOi.=-_ \n", max_size=60))
def test_no_other_text_is_a_token(text: str) -> None:
    for bent in (text, f"{GOOD}{text}", f"{text}{GOOD}", f"{GOOD.rpartition('.')[0]}.{text}"):
        if bent != GOOD:
            assert read(bent) is None, bent


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@given(
    claims=st.dictionaries(st.sampled_from(["sub", "sid", "aud", "exp", "iat"]), json_values),
    keeps=st.sets(st.sampled_from(["sub", "sid", "aud", "exp", "iat"])),
    header=st.sampled_from(HEADERS),
    secret=st.sampled_from([SECRET, SECRET[::-1]]),
)
def test_what_is_signed_opens_nothing_that_the_library_would_not_open(
    claims: dict[str, Any], keeps: set[str], header: dict[str, str], secret: str
) -> None:
    good = jwt.decode(GOOD, options={"verify_signature": False})
    signed = f"{part(header)}.{part(claims | {name: good[name] for name in keeps})}"
    signature = hmac.digest(secret.encode(), signed.encode(), "sha256")
    token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    found = read(token)
    assert found is None or found == by_the_library(token)
    if secret == SECRET and header["alg"] == "HS256" and keeps >= set(good):
        assert found == WHO
