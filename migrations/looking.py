"""What stands in the database, for migrations that must not assume what they find.

Every function looks in the schema that new tables go to (the first of the search path) and changes nothing,
but for `create_index`, which looks first.
"""

from alembic import op
from sqlalchemy import text

OURS = "Created by llamalog on an empty database."
"""The comment on indexes that a later migration may drop; others of that name belong to somebody else."""

_SCHEMA = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"


def _found(query: str, **names: str) -> bool:
    return bool(op.get_bind().execute(text(f"SELECT EXISTS ({query})"), names).scalar())


def table_exists(name: str) -> bool:
    return _found(
        "SELECT FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = :name",
        name=name,
    )


def column_exists(table: str, column: str) -> bool:
    return _found(
        "SELECT FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = :table AND column_name = :column",
        table=table,
        column=column,
    )


def enum_exists(name: str) -> bool:
    return _found(
        f"SELECT FROM pg_type WHERE typname = :name AND typtype = 'e' AND typnamespace = {_SCHEMA}",
        name=name,
    )


def index_exists(name: str) -> bool:
    return _found(
        f"SELECT FROM pg_class WHERE relname = :name AND relkind = 'i' AND relnamespace = {_SCHEMA}",
        name=name,
    )


def index_is_ours(name: str) -> bool:
    return _found(
        "SELECT FROM pg_class WHERE relname = :name AND relkind = 'i' "
        f"AND relnamespace = {_SCHEMA} AND obj_description(oid, 'pg_class') = :ours",
        name=name,
        ours=OURS,
    )


def _index_is_broken(name: str) -> bool:
    return _found(
        "SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        f"WHERE relname = :name AND relnamespace = {_SCHEMA} AND NOT indisvalid",
        name=name,
    )


def create_index(name: str, on: str) -> None:
    """Create an index without blocking writers; only within an autocommit block.

    What an interrupted attempt left is invalid, serves nobody and would count as existing: it goes first.
    """
    if _index_is_broken(name):
        op.execute(f"DROP INDEX CONCURRENTLY {name}")
    op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {on}")
