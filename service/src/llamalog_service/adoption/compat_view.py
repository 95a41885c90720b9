"""The compatibility view: the table's old name, with the columns of the old table."""

from typing import Final

from sqlalchemy import Connection

from llamalog_service.adoption.schema_inspector import JOURNAL, Preview, SchemaInspector

VIEW: Final = "enrichment_logs"
ADDED_VIEW: Final = "added view"
"""The kind of its entry in the migrations' journal; a down-migration drops a view that has one."""

_NEW: Final = {
    "category",
    "root_job_id",
    "origin",
    "declared_root_job_id",
    "cycle_members",
    "parent_conflict",
    "revision",
    "recorded_at",
    "legacy_sourced",
    "settled_by",
    "producer_id",
    "traceparent",
    "erased",
    "retracted",
}
_GRANTED: Final = """
    SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
    FROM pg_class, aclexplode(relacl)
    WHERE pg_class.oid = '{table}'::regclass AND privilege_type = 'SELECT' AND grantee <> relowner
"""


def preview_compat_view(found: SchemaInspector) -> list[Preview]:
    """The steps of `ensure_compat_view` once the table has its new name."""
    if found.table != VIEW and found.relation_kind(VIEW) is not None:
        return []
    return [Preview(f"keep the name {VIEW} readable: a view with the old columns")]


def ensure_compat_view(connection: Connection) -> None:
    """Create the view unless the name is taken; the caller commits."""
    if SchemaInspector(connection).relation_kind(VIEW) is None:
        for statement in compat_view_statements(connection):
            connection.exec_driver_sql(statement)


def compat_view_statements(connection: Connection) -> list[str]:
    """The statements that create the view, run once the table is renamed; its readers may read the view."""
    found = SchemaInspector(connection)
    columns = ", ".join(f'"{name}"' for name in found.columns if name not in _NEW)
    granted = connection.exec_driver_sql(_GRANTED.format(table=found.table)).all()
    return [
        f"CREATE VIEW {VIEW} AS SELECT {columns} FROM llama_logs",  # noqa: S608 - quoted
        f"COMMENT ON VIEW {VIEW} IS 'The old name of llama_logs, for readers that still use it.'",
        *(f"GRANT SELECT ON {VIEW} TO {reader}" for (reader,) in granted),
        f"INSERT INTO {JOURNAL} (kind, name) VALUES ('{ADDED_VIEW}', '{VIEW}') "  # noqa: S608 - ours
        "ON CONFLICT DO NOTHING",
    ]
