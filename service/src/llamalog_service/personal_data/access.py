"""Everything that the log keeps about a user: rows, rows that a repair removed, dead letters.

The event topic and the topic of provenance hold copies of the rows, which are left out.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from llamalog_service.kafka.dead_letters import DeadLetterReader, StoredDeadLetter
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.paging import Cursor, Page, parse_cursor, read_pages
from llamalog_service.queries.rows import LogRow

ROW, REMOVED_ROW, DEAD_LETTER = "row", "removed-row", "dead-letter"
"""The places where something about a user is stored."""

_ALL: Final = 2**62


class StoredItem(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Something stored about a user.

    Attributes:
        place: `ROW`, `REMOVED_ROW` or `DEAD_LETTER`; the field of that name holds it.
        dead_letter: its position in the topic of dead letters, and its value: JSON as it is, else as text,
            invalid UTF-8 replaced.
    """

    place: str
    row: LogRow | UnsetType = UNSET
    removed_row: Any = UNSET
    dead_letter: Any = UNSET


async def stored_about(
    user: str, reader: Reader, dead_letters: DeadLetterReader
) -> AsyncIterator[StoredItem]:
    """Everything stored about a user, place by place.

    Raises:
        TopicAbsentError: there is no topic of dead letters.
        UnavailableError: PostgreSQL or Kafka does not answer.
    """
    wanted = LogFilter(user=user)
    async for page in read_pages(partial(_page, reader, wanted), parse_cursor, _ALL):
        for row in page.items:
            yield StoredItem(place=ROW, row=row)
    for record in await reader.rows("removed_rows_of_user", user):
        removed = {"rowId": record["row_id"], "removedAt": record["removed_at"], "content": record["content"]}
        yield StoredItem(place=REMOVED_ROW, removed_row=removed)
    async with aclosing(dead_letters_about(user, dead_letters)) as found:
        async for dead_letter in found:
            yield StoredItem(place=DEAD_LETTER, dead_letter=_shown(dead_letter))


async def dead_letters_about(user: str, dead_letters: DeadLetterReader) -> AsyncGenerator[StoredDeadLetter]:
    """The dead letters that name a user.

    Args:
        dead_letters: without erasures; else those of an erased person are not found.

    Raises:
        TopicAbsentError: there is no topic of dead letters.
        UnavailableError: Kafka does not answer.
    """
    async with aclosing(dead_letters.read(await dead_letters.spans())) as fetched:
        async for batch in fetched:
            for dead_letter in batch:
                if names_user(dead_letter.value, user):
                    yield dead_letter


async def _page(reader: Reader, wanted: LogFilter, *, limit: int, after: Cursor | None) -> Page[LogRow]:
    return await read_logs(reader, wanted, limit=limit, after=after, newest_first=False)


def names_user(value: bytes | None, user: str) -> bool:
    """Whether a message names a user: JSON by any text of it that equals the id, else by the id in quotes."""
    if value is None:
        return False
    content = _parsed(value)
    if content is UNSET:
        return msgspec.json.encode(user) in value or f'"{user}"'.encode() in value
    left = [content]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list):
            left += one
        elif one == user:
            return True
    return False


def _shown(dead_letter: StoredDeadLetter) -> dict[str, Any]:
    value = dead_letter.value or b""
    content = _parsed(value)
    return {
        "partition": dead_letter.position.partition,
        "offset": dead_letter.position.offset,
        "keptAt": dead_letter.kept_at,
        "reason": dead_letter.reason,
        "value": value.decode(errors="replace") if content is UNSET else content,
    }


def _parsed(value: bytes) -> Any:
    """The JSON that a message holds; UNSET if it holds none."""
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return UNSET
