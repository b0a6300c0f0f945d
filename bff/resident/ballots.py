"""Casting a ballot and reading one's own. The hot path of a vote: 40,000 owners in some minutes.

`PUT …/ballot` is one statement where nothing is unusual; what it needs of HTTP is read without a schema's cost, and
whatever doesn't look right goes through the schema, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import orjson
from flask import Response, g, request

from app import db
from app.errors import AppError, Invalid, NotFound
from app.ids import Ref
from app.voting import ballot_form, casting, queries, receipts
from bff.http import reads
from bff.resident import ballot_schemas as s
from bff.resident.auth import asks_itself, ensure_login
from bff.schemas import Blueprint

blp = Blueprint("ballots", __name__, url_prefix="/bff/v1", description="Casting a ballot")

View = Callable[..., Any]


def _described(view: View) -> View:
    """The view, with what flask-smorest would say of it in the OpenAPI document, and nothing of it at run time."""
    said = blp.arguments(s.BallotIn)(view)
    said = blp.alt_response(201, schema=s.BallotOut, description="taken")(said)
    said = blp.response(200, s.BallotOut, description="taken before, or changed")(said)
    view._apidoc = said._apidoc  # type: ignore[attr-defined]  # flask-smorest's
    return view


def _choices() -> Mapping[str, Any]:
    """The body's choices. Whatever isn't plainly right is left to the schema. Raises what that refuses."""
    if request.mimetype == "application/json":
        try:
            body = orjson.loads(request.get_data(cache=True))
        except orjson.JSONDecodeError:
            body = None
        if type(body) is dict and len(body) == 1 and type(choices := body.get("choices")) is dict:
            return choices
    parsed: dict[str, Any] = blp.ARGUMENTS_PARSER.parse(s.BallotIn(), request, location="json")
    return parsed["choices"]


def _answer(body: dict[str, Any], status: int) -> Response:
    answer = Response(orjson.dumps(body), status, content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    if status == 201:
        answer.headers["Location"] = request.path
    return answer


def _form(ref: Ref) -> ballot_form.Form | None:
    """The decision's form; None before the freeze, or where there is no such decision."""
    form = ballot_form.known(ref)
    if form is None:
        with db.reading():
            try:
                decision = queries.decision(ref)
                form = ballot_form.of(decision) if decision.frozen_at is not None else None
            except NotFound:
                form = None
    return form


def _cast(ref: Ref, head_id: UUID) -> Response:
    choices = _choices()
    form = _form(ref)
    if form is not None:
        try:
            clean = form.checked(choices)
        except Invalid:
            pass  # whether she may hear of this decision at all is asked first, below
        else:
            taken = casting.take(form, head_id, clean, resident_id=g.resident_id, session_id=g.session_id)
            if taken is not None:
                return _answer(receipts.of_taken(form.keys, taken), 201)
    with db.transaction() as session:
        ensure_login(session.connection())
        done = casting.cast(ref, head_id, choices, acting_user=g.resident_id)
        if isinstance(done, casting.Cast):
            body = receipts.of_cast(ballot_form.of(queries.decision(ref)).keys, done)
    if isinstance(done, AppError):  # committed: who tried is written down
        raise done
    # A changed ballot is the same resource once more.
    return _answer(body, 201 if done.is_new and done.ballot.rev == 1 else 200)


@blp.route("/decisions/<ref(dec):ref>/heads/<ref(hed):head>/ballot", methods=["PUT"])
@asks_itself
@_described
def cast_for_head(ref: Ref, head: Ref) -> Response:
    """Cast for one of my heads. 201 with receipt, signed promise and opening; the same again 200; other choices 200
    with the next `rev` where the rules allow a change, else 409 `already_voted`. Every motion is answered (422
    `incomplete`); at most as many candidates as seats (422 `over_vote`). 409 `not_open`, `closed`, `cancelled`,
    `cast_elsewhere`, `not_the_voter`, `weak_identity` (with `reason`).
    """
    if head.community_id != ref.community_id:
        raise NotFound
    return _cast(ref, head.id)


@blp.route("/decisions/<ref(dec):ref>/ballot", methods=["PUT"])
@asks_itself
@_described
def cast_only(ref: Ref) -> Response:
    """Cast, for whoever votes for one head only; 409 `choose_head` with the heads where there are several."""
    with db.reading() as session:
        ensure_login(session.connection())
        head_id = casting.only_head(ref, g.resident_id)
    return _cast(ref, head_id)


@blp.route("/decisions/<ref(dec):ref>/heads/<ref(hed):head>/ballot", methods=["GET"])
@reads
@blp.response(200, s.BallotOut)
def my_ballot(ref: Ref, head: Ref) -> Any:
    """The ballot that I cast for this head, or that was cast on paper or by proxy for me; with its place in the log,
    the proof and the signed tree head once it is there. Never anybody else's.
    """
    if head.community_id != ref.community_id:
        raise NotFound
    return _mine(ref, head.id)


@blp.route("/decisions/<ref(dec):ref>/ballot", methods=["GET"])
@reads
@blp.response(200, s.BallotOut)
def my_only_ballot(ref: Ref) -> Any:
    """The same for whoever has one head only."""
    return _mine(ref, receipts.only_ballot(g.resident_id, ref))


def _mine(ref: Ref, head_id: UUID) -> Response:
    mine = receipts.ballot_for(g.resident_id, ref, head_id)
    return _answer(receipts.of_cast(ballot_form.of(queries.decision(ref)).keys, mine), 200)
