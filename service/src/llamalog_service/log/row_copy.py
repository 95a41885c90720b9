"""New rows written: of events by COPY, encoded by the compiled kernel if that is built, else by the driver.

The driver encodes value by value through the codec of each column, the kernel a row at a time in the formats
of the types that the columns usually have. A table with other types is written by the driver. The shadow of a
rebuild is written likewise.

Rows name producers by numbers. A batch reads those of its producers at the beginning of its own
transaction: a number kept from before could be another producer's by now, in a database that was replaced by
an older copy. Numbers of new ones are given before, in a transaction that does nothing else and so blocks no
other writer for long.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec.structs import astuple

from llamalog_service import kernels
from llamalog_service.domain.errors import RowRefusedError, UnavailableError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import Content, RowContent
from llamalog_service.log.legacy_rows import insert_legacy_rows
from llamalog_service.postgres.errors import NO_DATA
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import sql

Producers = Mapping[str | None, int | None]
"""The numbers of producers, by name; that of a row without one is None."""

FIRST_REVISION: Final = 1
"""The revision of a row as written: the column's default."""
_CONTENT: Final = tuple(
    "producer_id" if name == "producer" else name for name in RowContent.__struct_fields__
)
_PRODUCER: Final = _CONTENT.index("producer_id")
COLUMNS: Final = (*_CONTENT, *Root.__struct_fields__, "revision")

_INSERT: Final = (
    f"INSERT INTO llama_logs ({', '.join(COLUMNS)}) "  # noqa: S608 - names of our own
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(COLUMNS) + 1))})"
)
_COUNT_ROWS: Final = "SELECT count(*) FROM llama_logs WHERE id = ANY ($1::uuid[])"
_ENUM: Final = 0
"""In place of a type's number: the label of any enum is sent as text."""
_TEXT, _VARCHAR, _TEXTS, _VARCHARS = 25, 1043, 1009, 1015
_BOOLEAN, _BIGINT, _INTEGER, _TIMESTAMP, _UUID, _JSONB = 16, 20, 23, 1114, 2950, 3802
_ELEMENT: Final = {_TEXTS: _TEXT, _VARCHARS: _VARCHAR}
_ANY_TEXT: Final = frozenset({_ENUM, _TEXT, _VARCHAR})
_ID, _COUNT, _FLAG, _OBJECT = (frozenset({type_}) for type_ in (_UUID, _INTEGER, _BOOLEAN, _JSONB))
_OTHERS: Final = {
    **dict.fromkeys(("id", "entity_id", "artist_id", "album_id", "track_id"), _ID),
    **dict.fromkeys(("sources", "fields_enriched", "cycle_members"), frozenset(_ELEMENT)),
    **dict.fromkeys(
        ("retry_count", "duration_ms", "api_call_count", "producer_id", "revision", "partition"), _COUNT
    ),
    **dict.fromkeys(("metadata", "preview_data"), _OBJECT),
    **dict.fromkeys(("is_root_job", "parent_conflict"), _FLAG),
    "created_at": frozenset({_TIMESTAMP}),
    "offset": frozenset({_BIGINT}),
}

_BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_PORTION: Final = 500
"""Rows that are encoded without yielding to the event loop: a millisecond."""


class UnknownProducersError(Exception):
    """Producers of a batch have no number yet: give them one, then write again."""

    def __init__(self, producers: list[str]) -> None:
        super().__init__(producers)
        self.producers = producers


class CopyRefusedError(Exception):
    """Policies apply to this role, under which PostgreSQL refuses every COPY."""


def producers_of(rows: Iterable[Content]) -> list[str]:
    """The producers that rows of events name, in order."""
    return sorted({row.producer for row in rows if type(row) is RowContent and row.producer is not None})


def found_producers(wanted: list[str], begun: Mapping[str, Any]) -> Producers:
    """The numbers of these producers, as `begin_write` has read them.

    Raises:
        UnknownProducersError: some have none.
    """
    numbers: dict[str | None, int | None] = dict(
        zip(begun["sources"] or (), begun["numbers"] or (), strict=True)
    )
    if len(numbers) < len(wanted):
        raise UnknownProducersError([producer for producer in wanted if producer not in numbers])
    numbers[None] = None
    return numbers


async def add_producers(connection: asyncpg.Connection | asyncpg.Pool, producers: list[str]) -> None:
    """Give producers numbers, outside of any transaction.

    Raises:
        UnavailableError: the table of producers takes them and does not show them.
    """
    await connection.execute(sql("producers_add"), producers)
    if await connection.fetchval(sql("producers_missing"), producers):
        raise UnavailableError(
            "the table event_producers does not keep what is written into it: a policy, a rule or a trigger "
            "hides or drops its rows; remove that"
        )


def first_revisions(begun: Mapping[str, Any]) -> dict[UUID, int]:
    """The first revisions of rows that were removed before, of which higher ones were published."""
    removed = zip(begun["ids"] or (), begun["revisions"] or (), strict=True)
    return {row: revision + 1 for row, revision in removed}


async def write_by_copy(
    connection: asyncpg.Connection,
    rows: Sequence[Content],
    roots: Sequence[Root],
    begun: Mapping[str, Any],
    producers: Producers,
) -> None:
    """Write rows in the connection's transaction: those of events by COPY, legacy rows by a statement.

    Args:
        begun: of the transaction, as `begin_write` selects it.

    Raises:
        CopyRefusedError: `write_by_insert` is needed.
        RowRefusedError: rows were dropped by a trigger.
    """
    revisions = first_revisions(begun)

    async def copy(events: Sequence[RowContent], found: Sequence[Root]) -> int:
        try:
            return await copy_rows(
                connection, begun["types"], events, found, producers=producers, revisions=revisions
            )
        except asyncpg.FeatureNotSupportedError as refusal:
            raise CopyRefusedError from refusal

    await _write_rows(connection, rows, roots, revisions, copy)


async def write_by_insert(
    connection: asyncpg.Connection,
    rows: Sequence[Content],
    roots: Sequence[Root],
    begun: Mapping[str, Any],
    producers: Producers,
) -> None:
    """The same by INSERT, for a table with policies for this role: several times slower.

    Raises:
        RowRefusedError: rows were dropped by a trigger or a rule, or are hidden by a policy.
    """
    revisions = first_revisions(begun)

    async def insert(events: Sequence[RowContent], found: Sequence[Root]) -> int:
        await connection.executemany(_INSERT, records_of(events, found, producers, revisions))
        return int(await connection.fetchval(_COUNT_ROWS, [row.id for row in events]))

    await _write_rows(connection, rows, roots, revisions, insert)


async def _write_rows(
    connection: asyncpg.Connection,
    rows: Sequence[Content],
    roots: Sequence[Root],
    revisions: Mapping[UUID, int],
    write: Callable[[Sequence[RowContent], Sequence[Root]], Awaitable[int]],
) -> None:
    events: list[RowContent] = []
    roots_of_events: list[Root] = []
    legacy: list[tuple[LegacyContent, Root]] = []
    for row, root in zip(rows, roots, strict=True):
        if type(row) is RowContent:
            events.append(row)
            roots_of_events.append(root)
        elif type(row) is LegacyContent:
            legacy.append((row, root))
    written = await write(events, roots_of_events) if events else 0
    if legacy:
        written += await insert_legacy_rows(connection, legacy, revisions)
    if written < len(rows):
        raise RowRefusedError(
            "a trigger, a rule or a policy of the table drops or hides the row without a word", NO_DATA
        )


async def copy_rows(
    connection: asyncpg.Connection,
    types: Sequence[int] | None,
    rows: Sequence[RowContent],
    roots: Sequence[Root],
    *,
    producers: Producers,
    revisions: Mapping[UUID, int],
) -> int:
    """Write rows of events by COPY; the number of those that were written.

    Args:
        types: of `COLUMNS`, by their numbers in the catalogue, `0` for an enum.
        producers: the numbers of all producers of the rows.
        revisions: of rows that begin with another than `FIRST_REVISION`.
    """
    elements = encodable(COLUMNS, types)
    if elements is not None:
        encode: Any = kernels.compiled.copy_data  # type: ignore[union-attr]
        source = in_portions(
            lambda share: encode(rows[share], roots[share], producers, revisions, FIRST_REVISION, elements),
            len(rows),
        )
        status = await connection.copy_to_table("llama_logs", columns=COLUMNS, source=source, format="binary")
    else:
        records = records_of(rows, roots, producers, revisions)
        status = await connection.copy_records_to_table("llama_logs", columns=COLUMNS, records=records)
    return rows_of(status)


def records_of(
    rows: Sequence[RowContent],
    roots: Sequence[Root],
    producers: Producers,
    revisions: Mapping[UUID, int],
) -> list[tuple[Any, ...]]:
    """A value for each of `COLUMNS`, as the driver takes them."""
    records = []
    for row, root in zip(rows, roots, strict=True):
        content = astuple(row)
        revision = revisions.get(row.id, FIRST_REVISION) if revisions else FIRST_REVISION
        records.append(
            (
                *content[:_PRODUCER],
                producers[row.producer],
                *content[_PRODUCER + 1 :],
                *astuple(root),
                revision,
            )
        )
    return records


def encodable(columns: Sequence[str], types: Sequence[int] | None) -> tuple[int, ...] | None:
    """Whether the kernels can write these columns: None if not, else the types of the elements of arrays.

    Args:
        types: as for `copy_rows`; None if a column is missing.
    """
    if kernels.compiled is None or types is None:
        return None
    for name, type_ in zip(columns, types, strict=True):
        if type_ not in _OTHERS.get(name, _ANY_TEXT):
            return None
    return tuple(_ELEMENT[type_] for type_ in types if type_ in _ELEMENT)


async def in_portions(encode: Callable[[slice], bytes], rows: int) -> AsyncIterator[bytes]:
    """So many rows as COPY takes them in binary format, encoded by a kernel, yielding to the event loop."""
    yield _BEGIN
    for start in range(0, rows, _PORTION):
        yield encode(slice(start, start + _PORTION))
    yield _END
