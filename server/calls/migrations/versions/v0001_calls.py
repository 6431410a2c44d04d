"""Calls, their events, and the keys of the API."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "calls",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("to_number", sa.String(256), nullable=False),
        sa.Column("from_number", sa.String(256)),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("recording", sa.Text),
    )
    op.create_index("calls_by_status", "calls", ["status", "id"])
    op.create_index("calls_by_to", "calls", ["to_number", "id"])
    op.create_index("calls_by_from", "calls", ["from_number", "id"])
    op.create_table(
        "call_events",
        sa.Column(
            "call_id",
            sa.String(40),
            sa.ForeignKey("calls.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("revoked_at", sa.String(32)),
    )


def downgrade() -> None:
    """Drop the three tables."""
    for table in ("api_keys", "call_events", "calls"):
        op.drop_table(table)
