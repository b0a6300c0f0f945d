"""What tickets are found by in a search, apart from the tickets."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "ticket_letters",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("pieces", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_letters_community_id_ticket_id_tickets"),
        ),
        sa.PrimaryKeyConstraint("community_id", "ticket_id", name=op.f("pk_ticket_letters")),
    )
    op.create_index(
        "ix_ticket_letters_pieces",
        "ticket_letters",
        ["pieces"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )


def downgrade() -> None:
    op.drop_table("ticket_letters")
