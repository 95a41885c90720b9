"""The rows of the fold as flat JSON messages, for contenders that write what they are given.

A field has the name of its column. What JSON has no type for is text, as PostgreSQL reads it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer
from msgspec.structs import asdict, replace

from bench.drain import until
from llamalog_service.domain.fold import FoldedRow
from llamalog_service.domain.rows import RowContent
from llamalog_tools.devstack.process import OwnedProcess

_INTEGERS = frozenset({"retry_count", "duration_ms", "api_call_count", "revision"})
_FLAGS = frozenset({"is_root_job", "parent_conflict"})
_POLL_SECONDS = 0.02
_IN_FLIGHT = 2_000


class FlatMessage(NamedTuple):
    """A row as a message: the id of the row, a key that keeps a lineage together, the JSON."""

    row: UUID
    key: bytes
    value: bytes


def flat_messages(rows: Iterable[FoldedRow]) -> list[FlatMessage]:
    """The rows of the fold with their roots, in the order in which their events were generated."""
    messages = []
    for row in rows:
        assert type(row.content) is RowContent
        fields = _content(row) | asdict(row.root) | {"revision": 1}
        value = json.dumps({name: _json_value(name, value) for name, value in fields.items()})
        messages.append(FlatMessage(row.content.id, _key(row), value.encode()))
    return messages


def content_messages(rows: Iterable[FoldedRow]) -> list[FlatMessage]:
    """The contents of the rows, whose roots are to be found, as JSON with arrays and objects in it."""
    return [FlatMessage(row.content.id, _key(row), msgspec.json.encode(_content(row))) for row in rows]


def without_producers(rows: Iterable[FoldedRow]) -> dict[UUID, FoldedRow]:
    """The rows by id, as a contender is to write them, which numbers no producers."""
    return {row.content.id: row._replace(content=replace(row.content, producer=None)) for row in rows}


def _content(row: FoldedRow) -> dict[str, Any]:
    return {name: value for name, value in asdict(row.content).items() if name != "producer"}


def _key(row: FoldedRow) -> bytes:
    return (row.root.root_job_id or str(row.content.id)).encode()


def _json_value(name: str, value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value.value if isinstance(value, Enum) else value
        case UUID():
            return str(value)
        case dict():
            return json.dumps(value)
        case tuple() | list():
            return "{" + ",".join(json.dumps(item) for item in value) + "}"
        case _:
            return value.isoformat()


def schema_of(names: Iterable[str]) -> dict[str, Any]:
    """The schema of the messages, as Connect's JSON converter takes it."""
    return {
        "type": "struct",
        "fields": [{"field": name, "type": _type_of(name), "optional": True} for name in names],
    }


def _type_of(name: str) -> str:
    if name in _FLAGS:
        return "boolean"
    return "int32" if name in _INTEGERS else "string"


async def send_flat(bootstrap: str, topic: str, messages: list[FlatMessage]) -> list[UUID]:
    """Send the messages; the row of the last message of each partition is returned."""
    last: dict[int, tuple[int, UUID]] = defaultdict(lambda: (-1, UUID(int=0)))
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5
    ) as producer:
        for start in range(0, len(messages), _IN_FLIGHT):
            chunk = messages[start : start + _IN_FLIGHT]
            sent = [await producer.send(topic, message.value, message.key) for message in chunk]
            for message, acknowledged in zip(chunk, sent, strict=True):
                stored = await acknowledged
                last[stored.partition] = max(last[stored.partition], (stored.offset, message.row))
    return [row for _, row in last.values()]


async def all_recorded(
    database: asyncpg.Connection, last: list[UUID], process: OwnedProcess, seconds: float
) -> float:
    """Wait until the last row of every partition is there; when that was seen, by the clock on the wall.

    A look costs a few rows by the primary key, not a count of the table. A contender that records a partition
    out of order would be found out by the comparison of the rows.
    """
    query = await database.prepare("SELECT count(*) = $2 FROM llama_logs WHERE id = ANY($1::uuid[])")

    async def there() -> bool:
        return bool(await query.fetchval(last, len(last)))

    return await until(there, [process], seconds, every=_POLL_SECONDS)
