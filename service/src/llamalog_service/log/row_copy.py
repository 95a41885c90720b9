"""New rows of events written by COPY, encoded by the compiled kernel where that is built, else by the driver.

The driver encodes value by value through the codec of each column, the kernel a row at a time in the formats
of the types that the columns usually have. A table with other types is written by the driver. The shadow of a
rebuild is written likewise.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec.structs import astuple

from llamalog_service import kernels
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent
from llamalog_service.log.producers import Producers
from llamalog_service.postgres.pool import rows_of

FIRST_REVISION: Final = 1
"""The revision of a row as written: the column's default."""
_CONTENT: Final = tuple(
    "producer_id" if name == "producer" else name for name in RowContent.__struct_fields__
)
_PRODUCER: Final = _CONTENT.index("producer_id")
COLUMNS: Final = (*_CONTENT, *Root.__struct_fields__, "revision")

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
