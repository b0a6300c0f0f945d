"""Who gets a campaign. Messaging never asks who people are: the domain that owns them implements `Audience`, and
`app.boot` registers it under the type that the contract names. What isn't registered isn't offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from app import ids
from app.errors import NotFound
from app.ids import BadId, Kind, Ref
from app.messaging.campaign_models import AudienceType
from app.messaging.sms_errors import AudienceNotOffered
from app.people.scopes import StaffActor

Spec = dict[str, Any]  # what a campaign keeps of its audience: plain JSON


class Number(NamedTuple):
    """A phone number as its owner's domain keeps it: its hash, and how it is sealed (`crypto.keys().decrypt`)."""

    phone_hash: bytes
    sealed: bytes
    context: str


class Recipient(NamedTuple):
    """Somebody to be told, by her numbers, the preferred first; the first mobile one is taken.

    `fields`: what parameters that are filled for each recipient may take: `estate`, `room`, or the columns of a list.
    """

    numbers: tuple[Number, ...]
    fields: Mapping[str, str]


class Page(NamedTuple):
    """A page of recipients of one community. `cursor`: where the next one begins; None: there are no more."""

    recipients: list[Recipient]
    cursor: str | None


class Audience(Protocol):
    """One way to say who is meant."""

    def resolve(self, staff: StaffActor, ids_: Sequence[str]) -> Spec:
        """What the wire ids mean, for a member of staff who may write to these people. Audits where looking must be.

        Raises NotFound for what isn't hers, and what the domain refuses.
        """

    def communities(self, spec: Spec) -> list[int]:
        """The communities in which there are recipients, ascending."""

    def page(self, spec: Spec, community_id: int, *, after: str | None, limit: int, at: datetime) -> Page:
        """About `limit` recipients of a community after a cursor, as they were at that moment. Somebody without any
        number comes with none, so that she is counted.
        """

    def must_reach(self, spec: Spec) -> bool:
        """Does the law want each of them told: owners of a decision with legal effect?"""

    def target(self, spec: Spec) -> tuple[str, str] | None:
        """What a message in the mini-program opens: (type, wire id)."""


class Informal:
    """What audiences have in common that nobody has to reach by law."""

    def must_reach(self, spec: Spec) -> bool:  # noqa: ARG002  the Protocol's
        """See `Audience.must_reach`."""
        return False

    def target(self, spec: Spec) -> tuple[str, str] | None:  # noqa: ARG002  the Protocol's
        """See `Audience.target`."""
        return None


_known: dict[AudienceType, Audience] = {}


def configure(audiences: Mapping[AudienceType, Audience]) -> None:
    """The audiences of this installation (called once by `app.boot`)."""
    _known.clear()
    _known.update(audiences)


def offered() -> list[AudienceType]:
    """The types that a campaign may name."""
    return [kind for kind in AudienceType if kind in _known]


def of(kind: str) -> Audience:
    """The audience of that type. Raises AudienceNotOffered."""
    try:
        return _known[AudienceType(kind)]
    except (KeyError, ValueError) as e:
        raise AudienceNotOffered(errors={"audience": [(AudienceNotOffered.zh, AudienceNotOffered.en)]}) from e


def refs(kind: Kind, texts: Sequence[str]) -> list[Ref]:
    """Wire ids of things of a community, each once. Raises NotFound."""
    try:
        return list(dict.fromkeys(ids.decode_ref(kind, text) for text in texts))
    except BadId as e:
        raise NotFound from e
