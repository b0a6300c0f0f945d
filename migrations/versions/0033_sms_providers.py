"""The two providers of text messages as a street begins with them, and what a number may get in a day.

Sizes of a call and rates: Alibaba Cloud, API reference of SendSms and SendBatchSms (dysmsapi 2017-05-25); Tencent
Cloud, API reference of SendSms (2021-01-11) and document 55981. The rates stand at a tenth of what the vendors allow.
Caps: Alibaba Cloud, "SMS sending frequency limits"; Tencent Cloud, FAQ 13303 (2025-11). A contract may say otherwise:
the street changes its rows over HTTP.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import sqlalchemy as sa
from alembic import op

revision: str = "0033"
down_revision: str | None = "0032"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

AT = datetime(2026, 11, 22, tzinfo=UTC)
PROVIDERS = (
    ("aliyun", 70, 500, 100, 100, 450, "阿里云 dysmsapi 2017-05-25 SendSms、SendBatchSms；价格以合同为准"),
    ("tencent", 30, 300, 200, 1, 450, "腾讯云 sms 2021-01-11 SendSms、文档 55981；价格以合同为准"),
)
CAPS = (
    (
        "aliyun",
        "template",
        50,
        "阿里云《短信发送频率限制》：同一签名、模板、号码每日 50 条",
        date(2026, 1, 1),
    ),
    (
        "tencent",
        "number",
        2,
        "腾讯云常见问题 13303：同一号码每个自然日默认 2 条，可在控制台调整",
        date(2025, 11, 1),
    ),
)


def upgrade() -> None:
    providers = sa.table(
        "sms_providers",
        sa.column("code", sa.String),
        sa.column("weight", sa.SmallInteger),
        sa.column("calls_per_s", sa.SmallInteger),
        sa.column("batch_same", sa.SmallInteger),
        sa.column("batch_personal", sa.SmallInteger),
        sa.column("price_centi", sa.Integer),
        sa.column("source", sa.String),
        sa.column("updated_at", sa.DateTime(timezone=True)),
    )
    names = ("code", "weight", "calls_per_s", "batch_same", "batch_personal", "price_centi", "source")
    op.bulk_insert(providers, [dict(zip(names, row, strict=True)) | {"updated_at": AT} for row in PROVIDERS])
    caps = sa.table(
        "sms_provider_caps",
        sa.column("provider_code", sa.String),
        sa.column("scope", sa.String),
        sa.column("most", sa.SmallInteger),
        sa.column("source", sa.String),
        sa.column("as_of", sa.Date),
    )
    columns = ("provider_code", "scope", "most", "source", "as_of")
    op.bulk_insert(caps, [dict(zip(columns, row, strict=True)) for row in CAPS])


def downgrade() -> None:
    op.execute("DELETE FROM sms_provider_caps WHERE provider_code IN ('aliyun', 'tencent')")
    op.execute("DELETE FROM sms_providers WHERE code IN ('aliyun', 'tencent')")
