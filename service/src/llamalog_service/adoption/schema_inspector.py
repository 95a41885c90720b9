"""Read-only inspection of the log's table in a database, before, between and after migrations.

The catalogue is read anew at every call, in the schema that new tables go to (the first of the search path);
no version that was kept is relied on.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

LOG_TABLES: Final = ("enrichment_logs", "llama_logs")
"""The names that the table has had, the older one first."""

JOURNAL: Final = "migration_journal"
"""The table of the changes that migrations made to existing objects; down-migrations revert only these."""

ADDED_COLUMN: Final = "added column"
"""The kind of the journal's entries of columns that a migration added."""

_SCHEMA: Final = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
_TABLE: Final = f"""(
    SELECT oid FROM pg_class
    WHERE relname = ANY (CAST(:names AS text[])) AND relnamespace = {_SCHEMA} AND relkind <> 'v'
    ORDER BY array_position(CAST(:names AS text[]), relname::text)
    LIMIT 1
)"""
"""The log's table, of `names` the first that is there; part of a query, so that none is spent on it alone."""


class Preview(NamedTuple):
    """A step of a revision against this database, and the number of rows it would touch."""

    what: str
    rows: int = 0


class ExistingColumn(NamedTuple):
    """A column.

    Attributes:
        type: as PostgreSQL writes it.
        enum: the type's name where it is an enum.
        base: the type, or what a domain is of.
        is_generated: always computed by PostgreSQL.
        is_deterministic: texts that are equal have the same characters.
    """

    type: str
    nullable: bool
    default: str | None
    enum: str | None
    base: str
    is_generated: bool
    is_deterministic: bool


class ExistingIndex(NamedTuple):
    """An index.

    Attributes:
        columns: an expression as PostgreSQL writes it, but without casts, and midnight in UTC as a date with
            Z; NULLS FIRST where an ascending order puts them there.
    """

    name: str
    columns: tuple[str, ...]
    partial: bool
    valid: bool
    unique: bool


class ForeignKey(NamedTuple):
    """A foreign key of the log to another table."""

    name: str
    target: str
    definition: str


class SchemaInspector:
    """The log's table under either of its names, at any point of its history."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def database(self) -> tuple[str, str]:
        """The database's name and encoding."""
        ((name, encoding),) = self._rows(
            "SELECT datname::text, pg_encoding_to_char(encoding) FROM pg_database "
            "WHERE datname = current_database()"
        )
        return name, encoding

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the log that belong to a table; a compatibility view does not count."""
        rows = self._rows(
            "SELECT relname::text FROM pg_class WHERE relname = ANY (CAST(:names AS text[])) "
            f"AND relnamespace = {_SCHEMA} AND relkind <> 'v'",
            names=LOG_TABLES,
        )
        found = {name for (name,) in rows}
        return tuple(name for name in LOG_TABLES if name in found)

    @property
    def table(self) -> str | None:
        """The current name of the log's table; None where there is none."""
        return next(iter(self.tables), None)

    def relation_kind(self, name: str) -> str | None:
        """PostgreSQL's relkind of a name: r, p, v, m, f, i, …; None where the name is free."""
        kind: str | None = self._value(
            f"SELECT relkind::text FROM pg_class WHERE relname = :name AND relnamespace = {_SCHEMA}",
            name=name,
        )
        return kind

    @property
    def columns(self) -> dict[str, ExistingColumn]:
        """The table's columns by name."""
        rows = self._rows(
            f"""
            SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, pg_get_expr(adbin, adrelid),
                   CASE WHEN typtype = 'e' THEN typname END,
                   CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod)
                        ELSE format_type(atttypid, atttypmod) END,
                   attgenerated <> '' OR attidentity = 'a', coalesce(collisdeterministic, true)
            FROM pg_attribute
            JOIN pg_type ON pg_type.oid = atttypid
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            LEFT JOIN pg_collation ON pg_collation.oid = attcollation
            WHERE attrelid = {_TABLE} AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum
            """,
            names=LOG_TABLES,
        )
        return {name: ExistingColumn(*found) for name, *found in rows}

    def enum_values(self, enum: str) -> tuple[str, ...]:
        """The labels of an enum in their order; empty where there is no such type."""
        rows = self._rows(
            f"SELECT enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid "
            f"WHERE typname = :enum AND typnamespace = {_SCHEMA} ORDER BY enumsortorder",
            enum=enum,
        )
        return tuple(label for (label,) in rows)

    @property
    def indexes(self) -> dict[str, ExistingIndex]:
        """The table's indexes by name."""
        rows = self._rows(
            f"""
            SELECT i.relname,
                   ARRAY(SELECT coalesce(attname::text, pg_get_indexdef(indexrelid, place::integer, true))
                                || CASE WHEN indoption[place - 1] IN (1, 2) THEN ' NULLS FIRST' ELSE '' END
                         FROM unnest(indkey::smallint[]) WITH ORDINALITY AS k (number, place)
                         LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number AND number > 0
                         WHERE place <= indnkeyatts
                         ORDER BY place)::text[],
                   indpred IS NOT NULL, indisvalid, indisunique
            FROM pg_index
            JOIN pg_class i ON i.oid = indexrelid
            WHERE indrelid = {_TABLE}
            """,
            names=LOG_TABLES,
        )
        return {
            name: ExistingIndex(name, tuple(map(_simplified, columns)), partial, valid, unique)
            for name, columns, partial, valid, unique in rows
        }

    @property
    def foreign_keys(self) -> list[ForeignKey]:
        """The foreign keys of the table to other tables; one to itself is left out."""
        rows = self._rows(
            f"""
            SELECT conname, confrelid::regclass::text, pg_get_constraintdef(pg_constraint.oid)
            FROM pg_constraint
            WHERE conrelid = {_TABLE} AND contype = 'f' AND confrelid <> conrelid AND conparentid = 0
            ORDER BY conname
            """,
            names=LOG_TABLES,
        )
        return [ForeignKey(*row) for row in rows]

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules that rewrite what is written to the table."""
        rows = self._rows(
            f"""
            SELECT rulename
            FROM pg_rewrite
            WHERE ev_class = {_TABLE}
            ORDER BY rulename
            """,
            names=LOG_TABLES,
        )
        return tuple(name for (name,) in rows)

    def has_constraint(self, name: str) -> bool:
        """Whether the table has a constraint of this name."""
        return bool(
            self._value(
                "SELECT EXISTS (SELECT FROM pg_constraint "
                "WHERE conname = :name AND conrelid = CAST(:table AS regclass))",
                name=name,
                table=self.table,
            )
        )

    def noted(self, kind: str) -> dict[str, str | None]:
        """The journal's entries of one kind of change: name → definition before the change."""
        if self.relation_kind(JOURNAL) is None:
            return {}
        rows = self._rows(f"SELECT name, before FROM {JOURNAL} WHERE kind = :kind ORDER BY name", kind=kind)
        return {name: before for name, before in rows}  # noqa: C416 - rows are no plain tuples

    def rows(self, where: str = "true") -> int:
        """The number of rows of the table that match; reads the whole table."""
        return (
            0
            if self.table is None
            else int(self._value(f"SELECT count(*) FROM {self.table} l WHERE {where}"))
        )

    def any_rows(self, where: str) -> bool:
        """Whether a row matches."""
        return bool(self._value(f"SELECT EXISTS (SELECT FROM {self.table} l WHERE {where})"))

    def pages(self) -> int:
        """The size of the table in pages, of which each holds some dozens of rows."""
        return int(
            self._value(
                "SELECT pg_relation_size(CAST(:table AS regclass)) / current_setting('block_size')::integer",
                table=self.table,
            )
        )

    def _value(self, query: str, **names: Any) -> Any:
        return self._connection.execute(text(query), names).scalar()

    def _rows(self, query: str, **names: Any) -> Iterator[Any]:
        return iter(self._connection.execute(text(query), names).all())


def _simplified(expression: str) -> str:
    uncast = re.sub(r"::\w+( with(out)? time zone)?", "", expression)
    return re.sub(r"'(\d{4}-\d\d-\d\d) 00:00:00(\+00)?'", r"'\1Z'", uncast)
