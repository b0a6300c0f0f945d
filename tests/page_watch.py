"""Refuses, in tests, a change of what the decision page and the first screen keep that their keys wouldn't show.

What a notice says is kept under its version (`app.home`). The decision page reads most of a decision with each request.
Its texts, rules, motions and what candidates say of themselves are kept under the versions of their rows, so none of
them may change without one (`app.own_decision`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from app import db
from app.notices.models import Notice
from app.voting.models import Candidate, Decision, Motion

KEPT: dict[type[db.Base], frozenset[str]] = {
    Decision: frozenset({"title", "text", "rules", "texts_nonce"}),
    Candidate: frozenset({"statement_sealed", "motion_id"}),
    Motion: frozenset(column.name for column in Motion.__table__.columns),
    Notice: frozenset({"kind", "title", "text", "areas", "published_at", "revision"}),
}
_SEEN, _COUNTED = "page_watch_seen", "page_watch_counted"


class Unversioned(AssertionError):
    """Whoever has opened the decision would see what it was, for a minute."""


def listen() -> None:
    """Look at every unit of work from here on."""
    event.listen(Session, "before_flush", _look)
    event.listen(Session, "before_commit", _ensure)
    event.listen(Session, "after_rollback", _forget)


def _look(session: Session, *_: Any) -> None:
    for row in {*session.dirty, *session.new, *session.deleted}:
        kept = KEPT.get(type(row))
        if kept is None:
            continue
        if row in session.new and type(row) is not Motion:
            session.info.setdefault(_COUNTED, set()).add((row.community_id, row.id))
            continue
        state = inspect(row)
        changed = {column.key for column in state.attrs if column.history.has_changes()}
        name = (row.community_id, row.decision_id if type(row) is Motion else row.id)
        if "version" in changed:
            session.info.setdefault(_COUNTED, set()).add(name)
        if (changed & kept or row in session.deleted) and _is_announced(session, row):
            session.info.setdefault(_SEEN, set()).add(name)


def _is_announced(session: Session, row: Decision | Candidate | Motion | Notice) -> bool:
    if isinstance(row, Notice):
        return row.published_at is not None
    if isinstance(row, Decision):
        decision = row
    else:
        with session.no_autoflush:
            found = session.get(Decision, (row.community_id, row.decision_id))
        assert found is not None
        decision = found
    return decision.announced_at is not None


def _ensure(session: Session) -> None:
    session.flush()  # what is still to be looked at
    unversioned = session.info.pop(_SEEN, set()) - session.info.pop(_COUNTED, set())
    if unversioned:
        raise Unversioned(unversioned)


def _forget(session: Session) -> None:
    session.info.pop(_SEEN, None)
    session.info.pop(_COUNTED, None)
