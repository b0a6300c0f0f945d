"""The public log of a decision: anyone can check that it only grew, and that a ballot is in it. No login, no room."""

from __future__ import annotations

import hashlib
from typing import Any

import marshmallow as ma
from flask import Response, request

from app import db
from app.ids import Ref
from app.voting import boards
from bff.http import reads, revalidated
from bff.public.anchor_page import page
from bff.schemas import Blueprint, Schema

f = ma.fields

blp = Blueprint(
    "public-decisions", __name__, url_prefix="/public/v1", description="The public log of decisions"
)

SHORT = "public, max-age=5"  # an open log grows every second
FIXED = "public, max-age=86400, immutable"


class KeyOut(Schema):
    key_id = f.Str(required=True)
    alg = f.Str(required=True)
    public_key = f.Str(required=True, metadata={"description": "hex"})
    valid_from = f.Str(required=True)
    valid_to = f.Str(required=True, allow_none=True)


class KeysOut(Schema):
    items = f.List(f.Nested(KeyOut), required=True)


class HeadOut(Schema):
    alg = f.Str(required=True)
    key_id = f.Str(required=True)
    decision = f.Str(required=True)
    size = f.Int(required=True)
    root = f.Str(required=True, metadata={"description": "hex"})
    signed_at = f.Str(required=True)
    signature = f.Str(
        required=True, metadata={"description": "Ed25519 over the prefix and the canonical head"}
    )


class AnchorOut(HeadOut):
    public_key = f.Str(required=True, metadata={"description": "hex; hold it against another source"})


class TotalsOut(Schema):
    leaves = f.Int(required=True)
    heads = f.Int(required=True, metadata={"description": "owners on the roll"})
    area_centi = f.Int(required=True, metadata={"description": "0.01 m²"})


class BoardOut(Schema):
    decision = f.Str(required=True)
    opening = f.Str(required=True, metadata={"description": "leaf 0: hash of the texts, rules, roll root"})
    heads = f.List(
        f.Nested(HeadOut), required=True, metadata={"description": "those anchored, and the latest"}
    )
    totals = f.Nested(TotalsOut, required=True)
    is_final = f.Bool(required=True)
    keys = f.List(f.Nested(KeyOut), required=True)
    cancelled_at = f.Str(required=True, allow_none=True, metadata={"description": "then there is no result"})
    result = f.Dict(required=True, allow_none=True, metadata={"description": "once certified"})


class LeavesIn(Schema):
    from_ = f.Int(data_key="from", required=True, validate=ma.validate.Range(0))
    to = f.Int(
        required=True, validate=ma.validate.Range(0), metadata={"description": "included; ≤ 1,000 leaves"}
    )


class LeavesOut(Schema):
    items = f.List(f.Str(), required=True, metadata={"description": "the texts that are hashed"})


class ProofIn(Schema):
    leaf = f.Int(required=True, validate=ma.validate.Range(0))
    size = f.Int(
        load_default=None, validate=ma.validate.Range(1), metadata={"description": "of a signed head"}
    )


class ProofOut(Schema):
    leaf_index = f.Int(required=True)
    tree_size = f.Int(required=True)
    path = f.List(f.Str(), required=True)
    head = f.Nested(HeadOut, required=True)


class ConsistencyIn(Schema):
    from_ = f.Int(data_key="from", required=True, validate=ma.validate.Range(1))
    to = f.Int(load_default=None, validate=ma.validate.Range(1))


class ConsistencyOut(Schema):
    from_ = f.Nested(HeadOut, required=True, data_key="from", attribute="from")
    to = f.Nested(HeadOut, required=True)
    path = f.List(f.Str(), required=True)


class AnchorIn(Schema):
    size = f.Int(load_default=None, validate=ma.validate.Range(1))


def _cached(body: dict[str, Any], keep: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    return body, 200, {"Cache-Control": keep}


@blp.route("/keys", methods=["GET"])
@revalidated
@reads
@blp.response(200, KeysOut)
def keys() -> Any:
    """The public keys that sign promises and tree heads."""
    return _cached({"items": boards.keys()}, "public, max-age=300")


@blp.route("/decisions/<ref(dec):ref>/board", methods=["GET"])
@revalidated
@reads
@blp.response(200, BoardOut)
def board(ref: Ref) -> Any:
    """Leaf 0, signed heads, totals, and the result once it is certified. 404 before the roll is frozen."""
    return _cached(boards.board(ref), SHORT)


@blp.route("/decisions/<ref(dec):ref>/leaves", methods=["GET"])
@revalidated
@reads
@blp.arguments(LeavesIn, location="query")
@blp.response(200, LeavesOut)
def leaves(asked: dict[str, Any], ref: Ref) -> Any:
    """A range of leaves, both ends included. They never change."""
    return _cached({"items": boards.leaves(ref, asked["from_"], asked["to"])}, FIXED)


@blp.route("/decisions/<ref(dec):ref>/proof", methods=["GET"])
@revalidated
@reads
@blp.arguments(ProofIn, location="query")
@blp.response(200, ProofOut)
def proof(asked: dict[str, Any], ref: Ref) -> Any:
    """That a leaf is below a signed head (RFC 9162 §2.1.3); without `size` below the latest."""
    return _cached(boards.proof(ref, asked["leaf"], asked["size"]), FIXED if asked["size"] else SHORT)


@blp.route("/decisions/<ref(dec):ref>/consistency", methods=["GET"])
@revalidated
@reads
@blp.arguments(ConsistencyIn, location="query")
@blp.response(200, ConsistencyOut)
def consistency(asked: dict[str, Any], ref: Ref) -> Any:
    """That the log only grew between two signed heads (RFC 9162 §2.1.4); without `to` until the latest."""
    return _cached(boards.consistency(ref, asked["from_"], asked["to"]), FIXED if asked["to"] else SHORT)


@blp.route("/decisions/<ref(dec):ref>/file", methods=["GET"])
@blp.response(200, {"type": "object"}, content_type="application/json")
@blp.alt_response(409, description="not_closed")
def file(ref: Ref) -> Response:
    """The sealed file after the close: what `python -m app.voting.verify` checks."""
    with db.reading():
        about, size = boards.sealed_file(ref)
    answer = Response(content_type="application/json")
    answer.set_etag(hashlib.sha256(repr((about, size)).encode()).hexdigest()[:32])
    answer.headers["Cache-Control"] = "public, max-age=60"
    answer.headers["Content-Disposition"] = 'attachment; filename="board.json"'
    answer.make_conditional(request)
    if answer.status_code == 200:
        answer.headers.pop("Content-Length", None)  # of the empty answer, which make_conditional has measured
        answer.response = boards.written(ref, about, size)
    return answer


@blp.route("/decisions/<ref(dec):ref>/anchor.json", methods=["GET"])
@revalidated
@reads
@blp.arguments(AnchorIn, location="query")
@blp.response(200, AnchorOut)
def anchor(asked: dict[str, Any], ref: Ref) -> Any:
    """The newest anchor, or that of a size: for `verify --anchor`. The QR code on the page holds the same."""
    return _cached(boards.anchor(ref, asked["size"]), FIXED if asked["size"] else "public, max-age=60")


@blp.route("/decisions/<ref(dec):ref>/anchor", methods=["GET"])
@reads
@blp.arguments(AnchorIn, location="query")
@blp.response(200, {"type": "string"}, content_type="text/html")
def anchor_page(asked: dict[str, Any], ref: Ref) -> Response:
    """A page to print and post on the notice board, with the newest anchor (or that of a size) as a QR code."""
    answer = Response(page(boards.anchor(ref, asked["size"])), content_type="text/html; charset=utf-8")
    answer.headers["Cache-Control"] = "public, max-age=60"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return answer
