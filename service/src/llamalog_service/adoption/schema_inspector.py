"""What stands in a database before, between and after migrations: found by looking, never by a version kept.

Everything is read anew at every call, in the schema that new tables go to (the first of the search path),
and nothing is changed.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

LOG_TABLES: Final = ("enrichment_logs", "llama_logs")
"""The names that the table has had, the older one first."""

JOURNAL: Final = "migration_journal"
"""The table of what migrations changed that was there before, or added to it; they take back no more."""

_SCHEMA: Final = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"


class Preview(NamedTuple):
    """Something that a revision would do here, and how many rows it would touch."""

    what: str
    rows: int = 0


class StandingColumn(NamedTuple):
    """A column; `type` as PostgreSQL writes it, `enum` the type's name where it is an enum."""

    type: str
    nullable: bool
    default: str | None
    enum: str | None


class StandingIndex(NamedTuple):
    """An index.

    Attributes:
        columns: an expression as PostgreSQL writes it, but without casts; NULLS FIRST where an ascending
            order puts them there.
    """

    name: str
    columns: tuple[str, ...]
    partial: bool
    valid: bool
    unique: bool


class ForeignKey(NamedTuple):
    """A foreign key of the log to a table of somebody else."""

    name: str
    target: str
    definition: str


class Standing:
    """The log's table, whatever its name and age, with what belongs to it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def tables(self) -> tuple[str, ...]:
        """Those of the log's names that a table bears; a view that keeps an old name readable is none."""
        return tuple(name for name in LOG_TABLES if self.relation_kind(name) not in (None, "v"))

    @property
    def table(self) -> str | None:
        """The table's name as it is now."""
        return next(iter(self.tables), None)

    def relation_kind(self, name: str) -> str | None:
        """PostgreSQL's letter for what bears a name: r, p, v, m, f, i, …; None where it is free."""
        kind: str | None = self._value(
            f"SELECT relkind::text FROM pg_class WHERE relname = :name AND relnamespace = {_SCHEMA}",
            name=name,
        )
        return kind

    @property
    def columns(self) -> dict[str, StandingColumn]:
        """The table's columns by name."""
        rows = self._rows(
            f"""
            SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, pg_get_expr(adbin, adrelid),
                   CASE WHEN typtype = 'e' THEN typname END
            FROM pg_attribute
            JOIN pg_class ON pg_class.oid = attrelid
            JOIN pg_type ON pg_type.oid = atttypid
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE relname = :table AND relnamespace = {_SCHEMA} AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum
            """,
            table=self.table,
        )
        return {name: StandingColumn(*found) for name, *found in rows}

    def enum_values(self, enum: str) -> tuple[str, ...]:
        """The values of an enum in their order; none where there is no such type."""
        rows = self._rows(
            f"SELECT enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid "
            f"WHERE typname = :enum AND typnamespace = {_SCHEMA} ORDER BY enumsortorder",
            enum=enum,
        )
        return tuple(label for (label,) in rows)

    @property
    def indexes(self) -> dict[str, StandingIndex]:
        """The table's indexes by name."""
        rows = self._rows(
            f"""
            SELECT i.relname,
                   ARRAY(SELECT coalesce(attname, pg_get_indexdef(indexrelid, place::integer, true))
                                || CASE WHEN indoption[place - 1] IN (1, 2) THEN ' NULLS FIRST' ELSE '' END
                         FROM unnest(indkey::smallint[]) WITH ORDINALITY AS k (number, place)
                         LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number AND number > 0
                         WHERE place <= indnkeyatts
                         ORDER BY place)::text[],
                   indpred IS NOT NULL, indisvalid, indisunique
            FROM pg_index
            JOIN pg_class i ON i.oid = indexrelid
            JOIN pg_class t ON t.oid = indrelid
            WHERE t.relname = :table AND t.relnamespace = {_SCHEMA}
            """,
            table=self.table,
        )
        return {
            name: StandingIndex(name, tuple(map(_without_casts, columns)), partial, valid, unique)
            for name, columns, partial, valid, unique in rows
        }

    @property
    def foreign_keys(self) -> list[ForeignKey]:
        """The foreign keys of the table to other tables; one to itself is its own affair."""
        rows = self._rows(
            f"""
            SELECT conname, confrelid::regclass::text, pg_get_constraintdef(pg_constraint.oid)
            FROM pg_constraint
            JOIN pg_class ON pg_class.oid = conrelid
            WHERE relname = :table AND relnamespace = {_SCHEMA} AND contype = 'f' AND confrelid <> conrelid
              AND conparentid = 0
            ORDER BY conname
            """,
            table=self.table,
        )
        return [ForeignKey(*row) for row in rows]

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
        """What the journal says of one kind of change: name → what was there before."""
        if self.relation_kind(JOURNAL) is None:
            return {}
        rows = self._rows(f"SELECT name, before FROM {JOURNAL} WHERE kind = :kind ORDER BY name", kind=kind)
        return {name: before for name, before in rows}  # noqa: C416 - rows are no plain tuples

    def rows(self, where: str = "true") -> int:
        """How many rows of the table there are of which this is true; reads all of them."""
        return (
            0
            if self.table is None
            else int(self._value(f"SELECT count(*) FROM {self.table} l WHERE {where}"))
        )

    def any_rows(self, where: str) -> bool:
        """Whether there is such a row."""
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


def _without_casts(expression: str) -> str:
    return re.sub(r"::\w+", "", expression)
