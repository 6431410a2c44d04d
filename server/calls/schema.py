"""The tables as SQLAlchemy sees them; `migrations/` brings a database there.

A record is kept as one JSON document beside the columns that lists are filtered by.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

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
    Index("calls_by_status", "status", "id"),
    Index("calls_by_to", "to_number", "id"),
    Index("calls_by_from", "from_number", "id"),
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
)
