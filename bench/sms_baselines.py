"""How text messages are usually sent: one job a message. The baselines of `bench.sms`, on the same tables and gateway.

    python -m bench.sms_baselines rq-fork|rq-simple|celery     a worker, until SIGTERM

Each job reads its message, calls the vendor with one number, and writes the outcome: no lease, no campaign, nothing is
settled.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

from celery import Celery
from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.serializers import JSONSerializer
from sqlalchemy import text

from app import boot, crypto, db
from app.adapters import sms as adapters
from app.adapters.sms import Batch, Message, Sms, Template, Vendor
from app.adapters.sms.vendors import configured
from app.settings import Settings

QUEUE = "bench"
CELERY_THREADS = 16

celery = Celery("bench", broker=os.environ.get("REDIS_URL", "redis://"))
celery.conf.update(
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=4,
    broker_connection_retry_on_startup=True,
)


@cache
def _vendor() -> Sms:
    settings = Settings.from_env()
    boot(settings)
    return configured(settings)[Vendor.ALIYUN]


def send(community_id: int, message_id: str) -> None:
    """One message: read, call, write."""
    vendor = _vendor()
    given: dict[str, Any] = {"community_id": community_id, "id": message_id}
    with db.transaction() as session:
        row = session.execute(
            text(
                "SELECT m.phone_sealed, m.params FROM sms_messages AS m"
                " WHERE m.community_id = :community_id AND m.id = :id"
            ),
            given,
        ).one()
    phone = crypto.keys().decrypt(row.phone_sealed, f"sms_phone:{message_id}").decode()
    batch = Batch(message_id, Template("SMS_1", "幸福社区", ("room",)), (Message(phone, tuple(row.params)),))
    (sent,) = vendor.send(batch)
    with db.transaction() as session:
        session.execute(
            text(
                "UPDATE sms_messages AS m SET state = 'accepted', vendor_id = :vendor_id, code = :code"
                " WHERE m.community_id = :community_id AND m.id = :id"
            ),
            given | {"vendor_id": sent.vendor_id, "code": sent.code},
        )


celery.task(name="bench.send")(send)


def queue_of(redis: Redis) -> Queue:
    """RQ's queue of the baselines."""
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer)


def main() -> int:
    """A worker of one of the kinds."""
    kind = sys.argv[1]
    _vendor()
    if kind == "celery":
        # The threads share the engine's pool and the adapter's connections.
        celery.worker_main(
            f"worker -P threads -c {CELERY_THREADS} --loglevel ERROR --without-gossip --without-mingle"
            " --without-heartbeat".split()
        )
        return 0
    redis = Redis.from_url(os.environ["REDIS_URL"])
    os.register_at_fork(after_in_child=db.dispose_after_fork)
    worker: Any = SimpleWorker if kind == "rq-simple" else Worker
    worker([QUEUE], connection=redis, serializer=JSONSerializer).work(logging_level="ERROR")
    return 0


# Imported for what it registers: the adapter's module is there before a worker forks.
__all__ = ["adapters", "celery", "queue_of", "send"]

if __name__ == "__main__":
    raise SystemExit(main())
