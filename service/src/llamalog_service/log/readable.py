"""Reads of rows some of which cannot be read, as where a function of a policy raises for them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

import structlog

from llamalog_service.domain.errors import RowRefusedError

Key = TypeVar("Key")
Result = TypeVar("Result")

_log = structlog.get_logger("llamalog.log")


class Unreadable(NamedTuple):
    """A key that cannot be read, by its place among the keys, and the reason."""

    at: int
    refusal: RowRefusedError


async def read_by_halves(
    keys: Sequence[Key], read: Callable[[Sequence[Key]], Awaitable[Result]]
) -> tuple[list[Result], list[Unreadable]]:
    """Read for all keys at once; where PostgreSQL refuses that, by halves, without those that are to blame.

    Returns:
        The results, of one read or of several; the keys that cannot be read.

    Raises:
        UnavailableError: PostgreSQL is unavailable.
    """
    results: list[Result] = []
    unreadable: list[Unreadable] = []
    shares = [(0, len(keys))]
    while shares:
        first, end = shares.pop()
        try:
            results.append(await read(keys[first:end]))
        except RowRefusedError as refusal:
            if end - first <= 1:
                unreadable.append(Unreadable(first, refusal))
            else:
                middle = (first + end) // 2
                shares += [(middle, end), (first, middle)]
    return results, unreadable


async def read_what_can_be(
    keys: Sequence[Key], read: Callable[[Sequence[Key]], Awaitable[Result]], *, doing: str
) -> list[Result]:
    """The results alone; that something is left out is logged.

    Args:
        doing: names the read in the log.
    """
    results, unreadable = await read_by_halves(keys, read)
    if unreadable:
        reason = str(unreadable[0].refusal)
        _log.warning("rows cannot be read", doing=doing, rows=len(unreadable), reason=reason)
    return results
