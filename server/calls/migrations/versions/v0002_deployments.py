"""Deployments, agents, playbooks, policy, webhooks, money and audit."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_CALLS = (
    sa.Column("key_id", sa.String(32)),
    sa.Column("deployment_id", sa.String(40)),
    sa.Column("agent_id", sa.String(200)),
    sa.Column("scheduled_at", sa.String(32)),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    sa.Column("node_id", sa.String(64)),
    sa.Column("erased_at", sa.String(32)),
)


def _document(name: str, *more: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        *more,
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("updated_at", sa.String(32), nullable=False),
    )
    op.create_index(f"{name}_by_name", name, ["name"], unique=True)


def upgrade() -> None:
    """Add columns and tables; what is there stays."""
    with op.batch_alter_table("calls") as calls:
        for column in _CALLS:
            calls.add_column(column)
    op.create_index("calls_by_agent", "calls", ["agent_id", "id"])
    op.create_index("calls_by_deployment", "calls", ["deployment_id", "id"])
    with op.batch_alter_table("api_keys") as keys:
        keys.add_column(sa.Column("deployment_id", sa.String(40)))
        keys.add_column(sa.Column("daily_spend_cents", sa.Integer))
    for name in ("deployments", "agents", "playbooks"):
        _document(name)
    op.create_table(
        "do_not_call",
        sa.Column("number", sa.String(32), primary_key=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "idempotency",
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("route", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(256), primary_key=True),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.Text),
        sa.Column("call_id", sa.String(40)),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "dials",
        sa.Column("call_id", sa.String(40), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("party", sa.String(256), primary_key=True),
        sa.Column("deployment_id", sa.String(40)),
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_table(
        "admissions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("deployment_id", sa.String(40), nullable=False),
        sa.Column("number", sa.String(256), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_index("admissions_by_target", "admissions", ["deployment_id", "number", "at"])
    op.create_index("admissions_by_time", "admissions", ["deployment_id", "at"])
    op.create_table(
        "spending",
        sa.Column("call_id", sa.String(40), primary_key=True),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("cents", sa.Float, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
    )
    op.create_index("spending_by_day", "spending", ["key_id", "day"])
    op.create_table(
        "quotes",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("wallet", sa.String(64)),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.Column("call_id", sa.String(40)),
    )
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("wallet", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
        sa.Column("call_id", sa.String(40)),
        sa.Column("reference", sa.String(128)),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_index("ledger_by_wallet", "ledger", ["wallet", "id"])
    op.create_index("ledger_once", "ledger", ["kind", "reference"], unique=True)
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("updated_at", sa.String(32), nullable=False),
    )
    op.create_index("webhook_deliveries_by_status", "webhook_deliveries", ["status", "id"])
    op.create_index("webhook_deliveries_by_call", "webhook_deliveries", ["call_id"])
    op.create_table(
        "disabled_webhooks",
        sa.Column("url_hash", sa.String(64), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("call_id", sa.String(40)),
        sa.Column("key_id", sa.String(32)),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("audit_by_call", "audit", ["call_id"])
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("url", sa.Text),
        sa.Column("seen_at", sa.String(32), nullable=False),
    )


def downgrade() -> None:
    """Drop what was added."""
    for table in (
        "nodes",
        "audit",
        "disabled_webhooks",
        "webhook_deliveries",
        "ledger",
        "quotes",
        "spending",
        "admissions",
        "dials",
        "idempotency",
        "do_not_call",
        "playbooks",
        "agents",
        "deployments",
    ):
        op.drop_table(table)
    op.drop_index("calls_by_agent", "calls")
    op.drop_index("calls_by_deployment", "calls")
    with op.batch_alter_table("api_keys") as keys:
        keys.drop_column("daily_spend_cents")
        keys.drop_column("deployment_id")
    with op.batch_alter_table("calls") as calls:
        for column in _CALLS:
            calls.drop_column(column.name)
