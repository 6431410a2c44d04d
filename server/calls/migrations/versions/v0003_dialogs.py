"""What is kept of each dial, and orders to calls of other nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns and a table; what is there stays, and counts as over."""
    with op.batch_alter_table("dials") as dials:
        dials.add_column(sa.Column("key_id", sa.String(32)))
        dials.add_column(sa.Column("dialog", sa.Text))
        dials.add_column(sa.Column("conversation", sa.Text))
        dials.add_column(sa.Column("over_at", sa.String(32)))
    op.execute(sa.text("UPDATE dials SET over_at = at"))
    op.create_index("dials_going_on", "dials", ["over_at", "party"])
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
    )
    op.create_index("orders_by_node", "orders", ["node_id", "id"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("orders")
    op.drop_index("dials_going_on", "dials")
    with op.batch_alter_table("dials") as dials:
        for column in ("over_at", "conversation", "dialog", "key_id"):
            dials.drop_column(column)
