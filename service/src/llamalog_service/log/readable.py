"""Reads of rows some of which cannot be read, as where a function of a policy raises for them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar
from uuid import UUID

import structlog

from llamalog_service.domain.errors import RowRefusedError

Key = TypeVar("Key")
Result = TypeVar("Result")

HIGHEST: Final = UUID(int=2**128 - 1)

_log = structlog.get_logger("llamalog.log")


class Unreadable(NamedTuple, Generic[Key]):
    """A key that cannot be read, and the reason."""

    key: Key
    refusal: RowRefusedError


class Readable(NamedTuple, Generic[Key, Result]):
    """The results of one read or of several, and the keys that cannot be read."""

    results: list[Result]
    unreadable: list[Key]


async def read_by_halves(
    keys: Sequence[Key], read: Callable[[Sequence[Key]], Awaitable[Result]]
) -> tuple[list[Result], list[Unreadable[Key]]]:
    """Read for all keys at once; where PostgreSQL refuses that, by halves, without those that are to blame.

    Returns:
        The results, of one read or of several; the keys that cannot be read.

    Raises:
        UnavailableError: PostgreSQL is unavailable.
    """
    results: list[Result] = []
    unreadable: list[Unreadable[Key]] = []
    shares = [keys]
    while shares:
        some = shares.pop()
        try:
            results.append(await read(some))
        except RowRefusedError as refusal:
            if len(some) <= 1:
                unreadable += [Unreadable(key, refusal) for key in some]
            else:
                middle = len(some) // 2
                shares += [some[middle:], some[:middle]]
    return results, unreadable


async def read_readable(
    keys: Sequence[Key], read: Callable[[Sequence[Key]], Awaitable[Result]], *, doing: str
) -> Readable[Key, Result]:
    """The same without the reasons, the first of which is logged.

    Args:
        doing: names the read in the log.
    """
    results, unreadable = await read_by_halves(keys, read)
    if unreadable:
        reason = str(unreadable[0].refusal)
        _log.warning("rows cannot be read", doing=doing, rows=len(unreadable), reason=reason)
    return Readable(results, [one.key for one in unreadable])


async def first_unreadable(read: Callable[[UUID], Awaitable[object]]) -> UUID:
    """The lowest id up to which rows cannot be read, where they cannot be read up to the highest.

    Args:
        read: reads rows in the order of their ids, up to one.
    """
    readable, unreadable = -1, HIGHEST.int
    while unreadable - readable > 1:
        middle = (readable + unreadable) // 2
        try:
            await read(UUID(int=middle))
            readable = middle
        except RowRefusedError:
            unreadable = middle
    return UUID(int=unreadable)
