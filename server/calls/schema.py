"""The tables as SQLAlchemy sees them; `migrations/` brings a database there.

A record is kept as one JSON document beside the columns that lists are filtered by.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("to_number", String(256), nullable=False),
    Column("from_number", String(256)),
    Column("created_at", String(32), nullable=False),
    Column("request", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("recording", Text),
    Column("key_id", String(32)),
    Column("deployment_id", String(40)),
    Column("agent_id", String(200)),
    Column("scheduled_at", String(32)),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("node_id", String(64)),
    Column("erased_at", String(32)),
    Index("calls_by_status", "status", "id"),
    Index("calls_by_to", "to_number", "id"),
    Index("calls_by_from", "from_number", "id"),
    Index("calls_by_agent", "agent_id", "id"),
    Index("calls_by_deployment", "deployment_id", "id"),
)

call_events = Table(
    "call_events",
    metadata,
    Column("call_id", String(40), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("data", Text, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("revoked_at", String(32)),
    Column("deployment_id", String(40)),
    Column("daily_spend_cents", Integer),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("deployments_by_name", "name", unique=True),
)

agents = Table(
    "agents",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("agents_by_name", "name", unique=True),
)

playbooks = Table(
    "playbooks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("playbooks_by_name", "name", unique=True),
)

do_not_call = Table(
    "do_not_call",
    metadata,
    Column("number", String(32), primary_key=True),
    Column("reason", String(500), nullable=False),
    Column("created_at", String(32), nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("route", String(64), primary_key=True),
    Column("key", String(256), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("status", Integer),
    Column("answer", Text),
    Column("call_id", String(40)),
    Column("created_at", String(32), nullable=False),
)
"""Answers by (key, route, idempotency key); `status` is null while the first is at work."""

dials = Table(
    "dials",
    metadata,
    Column("call_id", String(40), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("party", String(256), primary_key=True),
    Column("deployment_id", String(40)),
    Column("node_id", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("key_id", String(32)),
    Column("dialog", Text),
    Column("conversation", Text),
    Column("over_at", String(32)),
    Index("dials_going_on", "over_at", "party"),
)
"""One row for each INVITE, committed before it goes out: what is here is never dialled again.

`dialog` is what it takes to hang up after a crash; `conversation`, what came of it until the
final record holds it.
"""

admissions = Table(
    "admissions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("deployment_id", String(40), nullable=False),
    Column("number", String(256), nullable=False),
    Column("call_id", String(40), nullable=False),
    Column("at", String(32), nullable=False),
    Index("admissions_by_target", "deployment_id", "number", "at"),
    Index("admissions_by_time", "deployment_id", "at"),
)
"""What rate limits count."""

spending = Table(
    "spending",
    metadata,
    Column("call_id", String(40), primary_key=True),
    Column("key_id", String(32), nullable=False),
    Column("day", String(10), nullable=False),
    Column("cents", Float, nullable=False),
    Column("settled", Boolean, nullable=False),
    Index("spending_by_day", "key_id", "day"),
)
"""What each call costs its key at most (unsettled), then what it did cost."""

quotes = Table(
    "quotes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("wallet", String(64)),
    Column("body_hash", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("call_id", String(40)),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("wallet", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("call_id", String(40)),
    Column("reference", String(128)),
    Column("at", String(32), nullable=False),
    Index("ledger_by_wallet", "wallet", "id"),
    Index("ledger_once", "kind", "reference", unique=True),
)
"""Money of wallets in millionths of a dollar; never changed, only added to."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("call_id", String(40), nullable=False),
    Column("event", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("webhook_deliveries_by_status", "status", "id"),
    Index("webhook_deliveries_by_call", "call_id"),
)

disabled_webhooks = Table(
    "disabled_webhooks",
    metadata,
    Column("url_hash", String(64), primary_key=True),
    Column("url", Text, nullable=False),
    Column("at", String(32), nullable=False),
)
"""Endpoints that answered 410."""

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("call_id", String(40)),
    Column("key_id", String(32)),
    Column("data", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_by_call", "call_id"),
)
"""Append-only; each row holds the hash of the one before."""

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""One row, of id 1: the last row of `audit`, by which its loss is seen."""

nodes = Table(
    "nodes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("url", Text),
    Column("seen_at", String(32), nullable=False),
)
"""Nodes that share this database, and when each was last alive."""

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("node_id", String(64), nullable=False),
    Column("call_id", String(40), nullable=False),
    Column("action", String(32), nullable=False),
    Column("arguments", Text, nullable=False),
    Index("orders_by_node", "node_id", "id"),
)
"""What a node was asked to do to a call that is live on another one; deleted when it is done."""
