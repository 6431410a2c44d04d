"""Where the audit ends, and triggers that keep its rows as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SQLITE = (
    "CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_head_does_not_go_back BEFORE UPDATE ON audit_head"
    " WHEN NEW.seq < OLD.seq BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_head_is_not_deleted BEFORE DELETE ON audit_head"
    " BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
)
_POSTGRESQL = (
    "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'audit is append-only'; END $$",
    "CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_head_does_not_go_back BEFORE UPDATE ON audit_head"
    " FOR EACH ROW WHEN (NEW.seq < OLD.seq) EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_head_is_not_deleted BEFORE DELETE OR TRUNCATE ON audit_head"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
)


def upgrade() -> None:
    """Add the head, which stands at the last row that there is."""
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    written = sa.text(
        "INSERT INTO audit_head (id, seq, hash) SELECT 1, COALESCE(MAX(seq), 0),"
        " COALESCE((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), :none) FROM audit"
    )
    op.execute(written.bindparams(none="0" * 64))
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Take head and triggers away again."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    for name in ("audit_is_not_changed", *(() if postgresql else ("audit_is_not_deleted",))):
        op.execute(f"DROP TRIGGER {name}" + (" ON audit" if postgresql else ""))
    op.drop_table("audit_head")
    if postgresql:
        op.execute("DROP FUNCTION audit_is_append_only")
