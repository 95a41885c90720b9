"""Databases of the application before adoption, and what stands in them, value by value."""

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import asyncpg

from harness.legacy.known import known_rows
from harness.legacy.oracle import Expected, Kept
from harness.legacy.rows import Entities, Row
from harness.legacy.schemas import NEIGHBOURS, Spelling, StartingPoint, schema_at

_NULL = "\\N"


class Table(NamedTuple):
    """A table's rows as text, in which two values are equal only if they are so to the last byte."""

    columns: tuple[str, ...]
    types: dict[str, str]
    rows: dict[str, Row]


async def make_known_database(
    url: str,
    point: StartingPoint,
    spelling: Spelling = "llama_logs",
    seed: int = 1,
    *,
    lost_tops: bool = False,
) -> None:
    """Fill an empty database with the known one at a starting point; EMPTY has the neighbours alone."""
    entities = Entities(Random(f"{seed} entities"))
    await run_script(url, NEIGHBOURS + entities.script() + schema_at(point, spelling))
    if point is not StartingPoint.EMPTY:
        await insert_rows(url, point.table, known_rows(entities, point, seed, lost_tops=lost_tops))


async def run_script(url: str, script: str) -> None:
    """Run the statements of a script, all or none."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def insert_rows(url: str, table: str, rows: Sequence[Row]) -> None:
    """Write rows that have the same columns."""
    columns = list(rows[0])
    lines = "".join(
        ",".join(_NULL if row[name] is None else _quoted(str(row[name])) for name in columns) + "\n"
        for row in rows
    )
    connection = await asyncpg.connect(url)
    try:
        await connection.copy_to_table(
            table, source=io.BytesIO(lines.encode()), columns=columns, format="csv", null=_NULL
        )
    finally:
        await connection.close()


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


async def read_table(url: str, table: str, columns: Collection[str] | None = None) -> Table:
    """What stands in a table with the column id: all of its columns, or those named."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            table,
        )
        types = {name: type_ for name, type_ in found if columns is None or name in columns}
        texts = ", ".join(f'"{name}"::text' for name in types)
        records = await connection.fetch(f"SELECT ARRAY[{texts}] FROM {table}")
    finally:
        await connection.close()
    rows = [dict(zip(types, record[0], strict=True)) for record in records]
    return Table(tuple(types), types, {row["id"]: row for row in rows})


async def read_everything(url: str, but: Collection[str] = ()) -> dict[str, list[str]]:
    """Every row of every table as text, sorted; but for those tables."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT relname::text FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND NOT relname = ANY($1)",
            list(but),
        )
        return {
            name: sorted(row[0] for row in await connection.fetch(f'SELECT t::text FROM "{name}" t'))
            for (name,) in tables
        }
    finally:
        await connection.close()


async def read_kept_aside(url: str) -> dict[str, Kept]:
    """The kept values beside the log, by row."""
    connection = await asyncpg.connect(url)
    try:
        records = await connection.fetch("SELECT row_id::text, parent_job_id, root_job_id FROM legacy_values")
        return {row_id: Kept(parent, root) for row_id, parent, root in records}
    finally:
        await connection.close()


async def read_outcome(url: str) -> dict[str, Expected]:
    """What adoption decides, as in the rows of the adopted table."""
    connection = await asyncpg.connect(url)
    try:
        records = await connection.fetch(
            "SELECT id::text, root_job_id, origin::text, cycle_members, parent_conflict, parent_job_id, "
            "is_root_job, category::text FROM llama_logs"
        )
    finally:
        await connection.close()
    return {record["id"]: _outcome(record) for record in records}


def _outcome(record: Any) -> Expected:
    _, root, origin, members, *rest = record.values()
    return Expected(root, origin, None if members is None else tuple(members), *rest)


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """A line for each key at which two mappings differ, at most twenty."""
    keys = sorted(found.keys() | expected.keys())
    lines = (
        f"{key}: {found.get(key, 'missing')}, not {expected.get(key, 'there')}"
        for key in keys
        if key not in found or key not in expected or found[key] != expected[key]
    )
    return [line for line, _ in zip(lines, range(20), strict=False)]


def changed_values(before: Table, after: Table, but: Iterable[str] = ()) -> list[str]:
    """A line for each row of `before` that is gone or has another value in one of its columns, but for some.

    At most twenty; a column that is gone, or has another type, is listed too.
    """
    columns = [name for name in before.columns if name not in set(but)]
    lines = [
        f"{name}: {after.types.get(name, 'gone')}, was {before.types[name]}"
        for name in columns
        if after.types.get(name) != before.types[name]
    ]
    if lines:
        return lines
    return differences(
        {row_id: {name: row[name] for name in columns} for row_id, row in after.rows.items()},
        {row_id: {name: row[name] for name in columns} for row_id, row in before.rows.items()},
    )
