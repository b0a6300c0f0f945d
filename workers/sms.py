"""The sending of text messages: several calls in flight, each between two transactions and never inside one."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import date
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from app import adapters, clock, db
from app.adapters.outcome import Outcome
from app.adapters.sms import Batch, DeliveryState, Message, Receipt, Sms, Template, Vendor, out_id
from app.ids import Ref
from app.messaging import inbound, pipeline, settling, windows
from app.messaging.pipeline import LeasedBatch, Outgoing, Part, Result, Route
from app.messaging.settling import Finding, Question, UnknownBatch
from workers import config
from workers.batches import Shift, committed
from workers.pace import Pace

log = logging.getLogger(__name__)

MARGIN_S = 3.0  # of a lease, beside what a call may take: begin, record, and a machine that is busy
# Questions by number in a second: Tencent allows 20, Alibaba 5,000.
QUERIES_PER_S = {Vendor.ALIYUN: 200.0, Vendor.TENCENT: 15.0}
SAMPLE = 3  # numbers of a batch that are asked about before the others, while "not listed" means nothing
_STATES = {
    DeliveryState.WAITING: "accepted",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.FAILED: "failed",
}
Task = Callable[[], None]


class Drain:
    """One job's work: leases a wave, keeps the calls going, and leases the next while they run."""

    def __init__(self, vendors: Mapping[str, Sms], pace: Pace, *, lease_s: float) -> None:
        settings = config.settings()
        self._vendors = vendors
        self._pace = pace
        self._lease_s = lease_s
        self._shift = Shift(lease_s)
        self._in_flight = settings.sms_in_flight
        self._needs_s = settings.sms_connect_timeout_s + settings.sms_timeout_s + MARGIN_S
        self._settle_s = settings.sms_settle_s
        self._who = f"{socket.gethostname()[:16]}-{os.getpid()}-{time.monotonic_ns() % 10**9}"
        self._parts: dict[tuple[int, UUID], tuple[float, Part]] = {}
        self._looks = threading.Lock()
        self._ahead = 2 * self._in_flight

    def run(self) -> bool:
        """Work until nothing is due or the shift is over; whether something is left."""
        sending: set[Future[None]] = set()
        settling_: set[Future[None]] = set()
        # Apart: a batch is asked about for seconds, and those that wait to be sent have their leases running.
        with (
            ThreadPoolExecutor(self._in_flight, thread_name_prefix="sms") as senders,
            ThreadPoolExecutor(self._in_flight, thread_name_prefix="sms-settle") as askers,
        ):
            while not self._shift.is_over():
                to_settle, to_send = self._due(self._in_flight - len(settling_))
                settling_ |= {askers.submit(task) for task in to_settle}
                sending |= {senders.submit(task) for task in to_send}
                if not sending and not settling_:
                    return False
                # The next wave is leased while the second half of this one is under way.
                while not self._shift.is_over():
                    done, _ = wait(sending | settling_, timeout=1.0, return_when=FIRST_COMPLETED)
                    _tell(done)
                    sending, settling_ = sending - done, settling_ - done
                    if len(sending) <= self._in_flight:
                        break
            wait(sending | settling_)
            _tell(sending | settling_)
        return True

    def _due(self, to_settle: int) -> tuple[list[Task], list[Task]]:
        """The next wave: up to `to_settle` batches to settle and others to send, where something is due."""
        with db.reading():
            communities = pipeline.due_communities(is_open=windows.is_open(clock.now()))
        unknown: list[Task] = []
        tasks: list[Task] = []
        for community_id, has_queued, has_begun in communities:
            if has_begun:
                committed(settling.expire, community_id)
            if has_begun and len(unknown) < to_settle:
                leased = committed(
                    settling.lease,
                    community_id,
                    most=to_settle - len(unknown),
                    seconds=int(self._lease_s),
                    who=self._who,
                )
                unknown += [_task(self._settle, batch) for batch in leased]
            room = self._ahead - len(tasks)
            if room <= 0 or not has_queued:
                continue
            until = time.monotonic() + self._lease_s
            batches = committed(
                pipeline.lease,
                community_id,
                most=room,
                seconds=int(self._lease_s),
                who=self._who,
                is_open=windows.is_open(clock.now()),
            )
            tasks += [_task(self._send, batch, until) for batch in batches]
        return unknown, tasks

    # --- sending -----------------------------------------------------------------------------------------

    def _send(self, batch: LeasedBatch, until: float) -> None:
        part = self._part_of(batch)
        routes = [route for route in part.routes if route.provider in self._vendors]
        if len(routes) > 1:
            with db.reading():
                routes = list(pipeline.with_room(batch, routes))
        able = pipeline.weights(routes, self._vendors)
        if not able:
            committed(pipeline.not_begun, batch, why="no provider", pause_s=60)
            return
        provider = self._pace.choose(able)
        route = next(route for route in part.routes if route.provider == provider)
        vendor = self._vendors[provider]
        ours = route.most_personal if batch.is_personal else route.most_same
        most = min(ours, vendor.batch_size(personal=batch.is_personal))
        if batch.size > most:
            committed(pipeline.cut, batch, most)
            return
        if not self._may_go(provider, route.calls_per_s, until):
            committed(pipeline.give_back, [batch])
            return
        outgoing = pipeline.begin(
            batch,
            part,
            route,
            needs_s=self._needs_s,
            settle_s=self._settle_s,
            is_open=windows.is_open(clock.now()),
        )
        if not outgoing:
            committed(pipeline.not_begun, batch, why="may not leave", pause_s=1)
            return
        results = self._call(vendor, batch.ref, route, outgoing)
        if vendor.vendor is Vendor.TENCENT:
            serials = [r.vendor_id for r in results if r.vendor_id]
            _until(until, lambda: committed(inbound.remember, batch.ref, serials))
        if {r.outcome for r in results} > {Outcome.THROTTLED}:
            _until(until, lambda: committed(pipeline.put_off, batch, results))
        sent = [r for r in results if r.outcome != Outcome.THROTTLED] or results
        _until(until, lambda: pipeline.record(batch, sent, first_question_s=self._first_question_s()))
        if any(r.outcome == Outcome.THROTTLED for r in results):
            committed(pipeline.drop_cancelled, batch)

    def _may_go(self, provider: str, rate: float, until: float) -> bool:
        """Wait for the provider's pace; False where that would outlive the lease, the call included."""
        while True:
            left = until - time.monotonic() - self._needs_s
            if left <= 0:
                return False
            pause = self._pace.wait_s(provider, rate=rate, burst=self._in_flight)
            if pause <= 0:
                return True
            if pause > left or self._shift.is_over():
                return False
            time.sleep(min(pause, left, 1.0))

    def _call(self, vendor: Sms, ref: Ref, route: Route, outgoing: Sequence[Outgoing]) -> list[Result]:
        number = self._pace.begin(route.provider)
        failed = True
        try:
            batch = Batch(
                out_id=out_id.encode(ref),
                template=Template(route.vendor_code, route.sign, route.names),
                messages=tuple(Message(m.phone, m.values) for m in outgoing),
            )
            sent = vendor.send(batch)
            # The provider is at fault, or our account with it: another one may do better.
            failed = any(s.fault in {"vendor", "account"} for s in sent)
        except ValueError as e:
            log.error("a batch that can't be sent: %s", e, extra={"batch_id": str(ref.id)})
            failed = False
            return [Result(m.id, Outcome.REFUSED, "can't be sent", "message") for m in outgoing]
        finally:
            self._pace.end(number, failed=failed)
        return [
            Result(m.id, s.outcome, s.code, s.fault, s.vendor_id, s.segments)
            for m, s in zip(outgoing, sent, strict=True)
        ]

    def _part_of(self, batch: LeasedBatch) -> Part:
        key = (batch.ref.community_id, batch.campaign_id)
        with self._looks:  # one asks for all that wait
            known = self._parts.get(key)
            if known is None or time.monotonic() - known[0] > 5:
                with db.reading():
                    known = (time.monotonic(), pipeline.part_of(batch))
                self._parts[key] = known
        return known[1]

    def _first_question_s(self) -> float:
        return min(5.0, self._settle_s)

    # --- settling ----------------------------------------------------------------------------------------

    def _settle(self, batch: UnknownBatch) -> None:
        vendor = self._vendors.get(batch.provider)
        with db.reading():
            open_questions = settling.questions(batch)
        asked_at = clock.now()
        findings: list[Finding] = []
        absent: list[Question] = []
        if vendor is not None:
            # Before the settle time one that isn't listed decides nothing: a few tell whether the batch is there yet.
            early = asked_at < batch.settle_after
            findings, absent = self._ask(vendor, batch, open_questions[:SAMPLE] if early else open_questions)
            if early and findings and len(open_questions) > SAMPLE:
                more, others = self._ask(vendor, batch, open_questions[SAMPLE:])
                findings, absent = findings + more, absent + others
        is_whole = asked_at < batch.settle_after or not self._shift.is_over()
        committed(settling.settle, batch, findings, absent, asked_at=asked_at, is_whole=is_whole)

    def _ask(
        self, vendor: Sms, batch: UnknownBatch, asked: Iterable[Question]
    ) -> tuple[list[Finding], list[Question]]:
        """(what the record says, what it doesn't list although it would). Stops when the shift is over."""
        findings, absent = [], []
        for question in asked:
            if self._shift.is_over():
                break
            found, is_absent = ask(vendor, batch.ref, question, settling.days(batch.sent_at), self._pace)
            if found is not None:
                findings.append(found)
            elif is_absent:
                absent.append(question)
        return findings, absent


def ask(
    vendor: Sms, ref: Ref, question: Question, on: Sequence[date], pace: Pace
) -> tuple[Finding | None, bool]:
    """What the vendor's record says of one message, and whether it would list it if it had been taken."""
    certain = True
    for day in on:
        while (
            pause := pace.wait_s(f"{vendor.vendor}:query", rate=QUERIES_PER_S[vendor.vendor], burst=8)
        ) > 0:
            time.sleep(pause)
        looked = vendor.look_up(question.phone, day=day)
        for receipt in looked.receipts:
            if _is_ours(receipt, ref, question):
                return (
                    Finding(
                        question.id,
                        _STATES[receipt.state],
                        receipt.code or "listed",
                        receipt.vendor_id,
                        receipt.segments,
                    ),
                    False,
                )
        certain = certain and looked.answered and looked.is_conclusive
    return None, certain


def _is_ours(receipt: Receipt, ref: Ref, question: Question) -> bool:
    if receipt.out_id is not None:
        return out_id.decode(receipt.out_id) == ref
    return question.vendor_id is not None and receipt.vendor_id == question.vendor_id


def reconcile(vendors: Mapping[str, Sms], pace: Pace, shift: Shift) -> None:
    """Ask about messages whose receipts never came, a few batches in one run."""
    with db.reading():
        batches = settling.unreported(most=20)
    for batch in batches:
        vendor = vendors.get(batch.provider)
        if vendor is None or shift.is_over():
            continue
        with db.reading():
            asked = settling.unreported_of(batch)
        findings = []
        for question in asked:
            if shift.is_over():
                break
            found, _ = ask(vendor, batch.ref, question, settling.days(batch.sent_at), pace)
            if found is not None:
                findings.append(found)
        committed(settling.reconciled, batch, findings)


def vendors() -> dict[str, Sms]:
    """The vendors this process has keys for, by the code of their provider."""
    return {vendor.value: sms for vendor, sms in adapters.sms().items()}


def _task(work: Callable[..., None], *args: object) -> Task:
    return lambda: work(*args)


def _tell(done: Iterable[Future[None]]) -> None:
    """One batch that failed must not hold up the others: its lease runs out, and the log has its trace."""
    for future in done:
        error = future.exception()
        if error is not None:
            log.error("a batch was left to its lease: %s", type(error).__name__, exc_info=error)


def _until(deadline: float, unit: Task) -> None:
    """Run it, again while the database is away and the lease lasts: an outcome that is known is not to be lost."""
    while True:
        try:
            unit()
        except DBAPIError as e:
            if not db.is_passing(e) or time.monotonic() > deadline:
                raise
            time.sleep(0.3)
        else:
            return
