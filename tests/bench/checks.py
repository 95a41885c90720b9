"""Whether a drain did its work: the table against the fold, the dead letters, the provenance topic."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple
from uuid import UUID

import asyncpg
from aiokafka import ConsumerRecord
from msgspec.structs import astuple

from bench.backlog import Backlog, Content
from bench.installation import Installation
from bench.kafka import read_topic
from llamalog_schemas.codec import decode_provenance
from llamalog_service.domain.fold import FoldedRow
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent
from llamalog_service.postgres.pool import prepare_connection
from llamalog_service.postgres.statements import expand

_NAMED = 5
"""Differences listed in full, of each kind; of the others only the number."""

_CONTENT = RowContent.__struct_fields__
_ROOT = Root.__struct_fields__
_COLUMNS = ", ".join("{producer}" if name == "producer" else f"l.{name}" for name in _CONTENT + _ROOT)
_SELECT = expand(f"SELECT {_COLUMNS}, l.revision FROM llama_logs l")
_OF_IDS = "WHERE id = ANY ($1::uuid[])"


Values = tuple[object, ...]


class TableRow(NamedTuple):
    """A row as the table has it: the columns that come from the event, what follows, the revision."""

    content: Values
    root: Values
    revision: int


class Found(NamedTuple):
    """What a drain left in the table and the topics, counted, and its differences from what it should be."""

    rows: int
    dead_letters: int
    provenance_records: int
    runs: int
    corrected_rows: int
    differences: list[str]


async def inspect(installation: Installation, backlog: Backlog, *, beside: int = 0) -> Found:
    """Look at everything that a drain wrote.

    Args:
        beside: rows that the table had before, which the backlog does not name.
    """
    connection = await asyncpg.connect(installation.database_url)
    try:
        await prepare_connection(connection)
        table = await table_of(connection, list(backlog.rows) if beside else None)
        rows = await connection.fetchval("SELECT count(*) FROM llama_logs") - beside
        runs = await connection.fetchval("SELECT count(*) FROM backfill_runs")
    finally:
        await connection.close()
    dead_letters = await read_topic(installation.bootstrap, installation.topics.dead_letters)
    records = await read_topic(installation.bootstrap, installation.topics.provenance)
    return Found(
        rows=rows,
        dead_letters=len(dead_letters),
        provenance_records=len(records),
        runs=runs,
        corrected_rows=sum(row.revision > 1 for row in table.values()),
        differences=[
            *([] if rows == len(table) else [f"{rows - len(table)} rows come from no valid event"]),
            *shortened(differing_rows(backlog.rows, table)),
            *shortened(differing_dead_letters(backlog.bad(), dead_letters)),
            *shortened(differing_provenance(table, [record.value for record in records])),
        ],
    )


async def table_of(connection: asyncpg.Connection, ids: list[UUID] | None = None) -> dict[UUID, TableRow]:
    """Every row of the log, or those of some ids."""
    rows = {}
    found = connection.fetch(_SELECT) if ids is None else connection.fetch(f"{_SELECT} {_OF_IDS}", ids)
    for record in await found:
        values = tuple(tuple(value) if isinstance(value, list) else value for value in record.values())
        rows[record["id"]] = TableRow(values[: len(_CONTENT)], values[len(_CONTENT) : -1], record["revision"])
    return rows


def differing_rows(expected: Mapping[UUID, FoldedRow], table: Mapping[UUID, TableRow]) -> Iterator[str]:
    """Every row that the table lacks, has too many, or has otherwise than the fold."""
    for row_id in expected.keys() - table.keys():
        yield f"row {row_id} is missing"
    for row_id in table.keys() - expected.keys():
        yield f"row {row_id} comes from no valid event"
    for row_id in expected.keys() & table.keys():
        should, stands = expected[row_id], table[row_id]
        wanted_values = astuple(should.content) + astuple(should.root)
        for name, wanted, found in zip(
            _CONTENT + _ROOT, wanted_values, stands.content + stands.root, strict=True
        ):
            if wanted != found:
                yield f"row {row_id}: {name} is {found!r}, the fold has {wanted!r}"


def differing_dead_letters(bad: Counter[Content], dead_letters: Iterable[ConsumerRecord]) -> Iterator[str]:
    """Every bad message that is no dead letter, byte for byte, and every dead letter that was none.

    A dead letter published again after a failure, of the same coordinates, counts once.
    """
    came: dict[tuple[bytes, ...], Content] = {}
    for dead_letter in dead_letters:
        added = {name: value for name, value in dead_letter.headers if name.startswith("llamalog-")}
        headers = tuple(header for header in dead_letter.headers if not header[0].startswith("llamalog-"))
        place = tuple(added[f"llamalog-{part}"] for part in ("topic", "partition", "offset"))
        came[place] = dead_letter.key, dead_letter.value, headers
        if not added["llamalog-reason"] or not added["llamalog-error"]:
            yield f"the dead letter of {place} gives no reason"
    found = Counter(came.values())
    for message in (bad - found).elements():
        yield f"no dead letter for {message!r:.200}"
    for message in (found - bad).elements():
        yield f"a dead letter for a good message: {message!r:.200}"


def differing_provenance(table: Mapping[UUID, TableRow], records: Iterable[bytes]) -> Iterator[str]:
    """Every row whose highest revision on the topic is not what the table has."""
    latest: dict[UUID, tuple[int, Values]] = {}
    for value in records:
        data = decode_provenance(value).data
        root = (data.root_job_id, data.origin, data.cycle_members, data.parent_conflict)
        if data.id not in latest or latest[data.id][0] < data.revision:
            latest[data.id] = data.revision, root
    for row_id in table.keys() | latest.keys():
        stands = (table[row_id].revision, table[row_id].root) if row_id in table else None
        if stands != latest.get(row_id):
            yield f"provenance of {row_id} has {latest.get(row_id)}, the table {stands}"


def shortened(differences: Iterator[str]) -> list[str]:
    """The first differences, and how many more there are."""
    named = list(islice(differences, _NAMED))
    others = sum(1 for _ in differences)
    return [*named, f"… and {others} more of this kind"] if others else named
