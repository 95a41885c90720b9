"""Producers and their numbers, by which rows name them.

A batch reads the numbers of its producers at the beginning of its own transaction: a number kept from before
could be another producer's by now, in a database that was replaced by an older copy. Numbers of new ones are
given before, in a transaction that does nothing else and so blocks no other writer for long.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.domain.rows import Content, RowContent
from llamalog_service.postgres.statements import sql

Producers = Mapping[str | None, int | None]
"""The numbers of producers, by name; that of a row without one is None."""


class UnknownProducersError(Exception):
    """Producers of a batch have no number yet: give them one, then write again."""

    def __init__(self, producers: list[str]) -> None:
        super().__init__(producers)
        self.producers = producers


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
