"""What a campaign would be if it went now: who gets it, who doesn't and why, how long and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app import clock, db, ids, outbox
from app.errors import NotFound
from app.ids import Ref
from app.messaging import audience, expansion, providers, segments, templates
from app.messaging.campaign_models import Campaign
from app.messaging.providers import Route
from app.messaging.sifting import Chosen, Reason
from app.messaging.sms_models import Channel, SmsTemplate
from app.people.queries import mask_phone

PREVIEW = "messaging.preview"  # outbox kind
SAMPLES = 3
HOLDS_FOR = timedelta(minutes=10)  # after that the audience may be another one


def ask(row: Campaign) -> UUID:
    """Promise to look; the name of the job."""
    job = ids.new_id()
    row.preview_job = {"id": str(job), "state": "running", "version": row.version}
    row.preview = None
    outbox.put(
        community_id=row.community_id,
        kind=PREVIEW,
        payload={"campaign_id": str(row.id), "job": str(job)},
        idem=f"{PREVIEW}:{job}",
    )
    return job


def look(ref: Ref, *, job: str) -> None:
    """Look and keep what was found, unless the campaign was asked about again in the meantime. May run twice."""
    row = db.session().get(Campaign, ref, with_for_update=True, populate_existing=True)
    if row is None or row.preview_job is None or row.preview_job["id"] != job:
        return
    row.preview = preview_of(row) | {"version": row.preview_job["version"]}
    row.preview_job = row.preview_job | {"state": "done"}


def job_of(row: Campaign) -> dict[str, Any]:
    """The last preview that was asked for. Raises NotFound."""
    if row.preview_job is None:
        raise NotFound
    return row.preview_job


def size_of(row: Campaign) -> int:
    """How many would get it now."""
    shown = row.preview
    if (
        shown is not None
        and shown["version"] == row.version
        and clock.now() - datetime.fromisoformat(shown["at"]) < HOLDS_FOR
    ):
        return int(shown["recipients"])
    template = templates.template(row.template_id)
    return sum(len(chosen) for chosen, _ in _pages(row, template, providers.usable(template)))


def preview_of(row: Campaign) -> dict[str, Any]:
    """Recipients, those left out by reason, segments (70/67 with the 【signature】), cost in fen, samples, seconds by
    provider. Nothing is written.
    """
    template = templates.template(row.template_id)
    every = providers.routes(template)
    usable = [route for route in every if route.why_not is None]
    count = parts = 0
    left_out: Counter[str] = Counter()
    samples: list[dict[str, Any]] = []
    personal = templates.is_personal(template)
    each = 0
    for chosen, not_chosen in _pages(row, template, usable):
        left_out += not_chosen
        count += len(chosen)
        for one in chosen:
            if personal or each == 0:
                said = templates.rendered(template, one.values)
                each = segments.segments(template.sign, said)
            parts += each
            if len(samples) < SAMPLES:
                samples.append(_sample(template, one))
    if Channel.SMS not in row.channels:
        parts = 0
    return {
        "recipients": count,
        "excluded": {str(reason): n for reason, n in sorted(left_out.items()) if n},
        "segments": parts,
        "cost_fen": _cost(parts, usable),
        "samples": samples,
        "est_seconds": {r.provider.code: _seconds(count, r, personal=personal) for r in usable},
        "providers": [
            {
                "code": r.provider.code,
                "usable": r.why_not is None,
                "why_not": r.why_not,
                "weight": r.provider.weight,
                "numbers_per_call": _per_call(r, personal=personal),
                "calls_per_s": r.provider.calls_per_s,
            }
            for r in every
        ],
        "at": clock.rfc3339(clock.now()),
    }


def _pages(
    row: Campaign, template: SmsTemplate, usable: Sequence[Route]
) -> Iterator[tuple[list[Chosen], Counter[str]]]:
    """Page by page through all communities, each number once, as expansion would take them."""
    now = clock.now()
    asked, spec = audience.of(row.audience["type"]), row.audience["spec"]
    sieve = expansion.sieve_of(row, template, usable=usable, at=now)
    seen: set[bytes] = set()
    for community_id in asked.communities(spec):
        cursor: str | None = None
        while True:
            page = asked.page(spec, community_id, after=cursor, limit=expansion.PAGE, at=now)
            chosen, left_out = sieve.sift(page.recipients)
            fresh = [c for c in chosen if c.phone_hash not in seen]
            left_out[Reason.TWICE] += len(chosen) - len(fresh)
            seen.update(c.phone_hash for c in fresh)
            yield expansion.reachable(row, fresh, left_out), left_out
            if (cursor := page.cursor) is None:
                break


def _sample(template: SmsTemplate, one: Chosen) -> dict[str, Any]:
    said = templates.rendered(template, one.values)
    return {
        "phone": mask_phone(one.phone),
        "text": f"【{template.sign}】{said}",
        "length": segments.length(template.sign, said),
        "segments": segments.segments(template.sign, said),
    }


def _cost(parts: int, usable: Sequence[Route]) -> int:
    """In fen, by the weights of the providers that can carry it; a started fen counts whole."""
    weights = [(max(r.provider.weight, 0), r.provider.price_centi) for r in usable]
    total = sum(w for w, _ in weights)
    if not parts or not weights:
        return 0
    if total == 0:
        weights, total = [(1, weights[0][1])], 1
    return -(-parts * sum(w * price for w, price in weights) // (total * 100))


def _per_call(route: Route, *, personal: bool) -> int:
    return route.provider.batch_personal if personal else route.provider.batch_same


def _seconds(count: int, route: Route, *, personal: bool) -> int:
    """Seconds if this provider carried all of it, at its rate."""
    calls = -(-count // _per_call(route, personal=personal))
    return -(-calls // route.provider.calls_per_s)
