"""A view that keeps the table's old name readable, with the columns that the old table had."""

from typing import Final

from sqlalchemy import Connection

from llamalog_service.store.standing import JOURNAL, Preview, Standing

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
    WHERE pg_class.oid = 'llama_logs'::regclass AND privilege_type = 'SELECT' AND grantee <> relowner
"""


def preview_compat_view(found: Standing) -> list[Preview]:
    """What `ensure_compat_view` would do once the table has its new name."""
    if found.table != VIEW and found.relation_kind(VIEW) is not None:
        return []
    return [Preview(f"keep the name {VIEW} readable: a view with the old columns")]


def ensure_compat_view(connection: Connection) -> None:
    """Make the view unless something bears the name; who may read the table may read the view.

    The caller commits.
    """
    found = Standing(connection)
    if found.relation_kind(VIEW) is not None:
        return
    columns = ", ".join(f'"{name}"' for name in found.columns if name not in _NEW)
    connection.exec_driver_sql(f"CREATE VIEW {VIEW} AS SELECT {columns} FROM llama_logs")  # noqa: S608
    connection.exec_driver_sql(
        f"COMMENT ON VIEW {VIEW} IS 'The old name of llama_logs, for readers that still use it.'"
    )
    for (reader,) in connection.exec_driver_sql(_GRANTED).all():
        connection.exec_driver_sql(f"GRANT SELECT ON {VIEW} TO {reader}")
    connection.exec_driver_sql(
        f"INSERT INTO {JOURNAL} (kind, name) VALUES ('{ADDED_VIEW}', '{VIEW}') "  # noqa: S608
        "ON CONFLICT DO NOTHING"
    )
