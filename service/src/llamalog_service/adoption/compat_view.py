"""A view that keeps the table's old name readable, with the columns that the old table had."""

from typing import Final

from sqlalchemy import Connection

from llamalog_service.adoption.schema_inspector import JOURNAL, Preview, Standing

VIEW: Final = "enrichment_logs"
ADDED_VIEW: Final = "added view"
"""How the journal of migrations calls it; the way down drops a view that is noted there."""

_NEW: Final = {
    "category",
    "root_job_id",
    "origin",
    "declared_root_job_id",
    "cycle_members",
    "parent_conflict",
    "revision",
    "recorded_at",
}
_GRANTED: Final = """
    SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
    FROM pg_class, aclexplode(relacl)
    WHERE pg_class.oid = '{table}'::regclass AND privilege_type = 'SELECT' AND grantee <> relowner
"""


def preview_compat_view(found: Standing) -> list[Preview]:
    """What `ensure_compat_view` would do once the table has its new name."""
    if found.table != VIEW and found.relation_kind(VIEW) is not None:
        return []
    return [Preview(f"keep the name {VIEW} readable: a view with the old columns")]


def ensure_compat_view(connection: Connection) -> None:
    """Make the view unless something bears the name; the caller commits."""
    if Standing(connection).relation_kind(VIEW) is None:
        for statement in compat_view_statements(connection):
            connection.exec_driver_sql(statement)


def compat_view_statements(connection: Connection) -> list[str]:
    """What makes the view, to be run when the table has its new name; who may read it may read the view."""
    found = Standing(connection)
    columns = ", ".join(f'"{name}"' for name in found.columns if name not in _NEW)
    granted = connection.exec_driver_sql(_GRANTED.format(table=found.table)).all()
    return [
        f"CREATE VIEW {VIEW} AS SELECT {columns} FROM llama_logs",  # noqa: S608 - quoted
        f"COMMENT ON VIEW {VIEW} IS 'The old name of llama_logs, for readers that still use it.'",
        *(f"GRANT SELECT ON {VIEW} TO {reader}" for (reader,) in granted),
        f"INSERT INTO {JOURNAL} (kind, name) VALUES ('{ADDED_VIEW}', '{VIEW}') "  # noqa: S608 - ours
        "ON CONFLICT DO NOTHING",
    ]
