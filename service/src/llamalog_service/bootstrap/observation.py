"""For whoever watches an installation: how far it is, what came of it, what an album's timeline is."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from msgspec.structs import replace

from llamalog_service.bootstrap.dead_letters import dead_letters, find_spans
from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.dead_letter_counts import count_refusals
from llamalog_service.kafka.offsets import read_ends, read_lag
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.conflicts import (
    ConflictCounts,
    Cycle,
    RowConflict,
    count_conflicts,
    cycles,
    declaration_conflicts,
    parent_conflicts,
)
from llamalog_service.queries.paging import MAX_LIMIT, Cursor, collect
from llamalog_service.queries.summary import Summary, Work, read_rows, read_work
from llamalog_service.queries.timeline import EntityRef, Timeline, choose_album, read_timeline
from llamalog_service.settings import Settings
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

MAX_ENTRIES = 10_000
"""Of a root job that filled half a catalogue nobody reads more at once."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is still to be done before the installation is at rest.

    Attributes:
        events: entity events in the topic whose offsets are not committed yet.
        commands: commands in their topic that are not kept as runs yet.
        open_repairs: runs that are not completed.
        untold: corrections that are not published.
    """

    events: int
    commands: int
    open_repairs: int
    untold: int

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left."""
        return not (self.events or self.commands or self.open_repairs or self.untold)


class Observation:
    """Reads that change nothing. Each raises UnavailableError where PostgreSQL or Kafka is away."""

    def __init__(self, settings: Settings, reader: Reader, metrics: Metrics = NULL_METRICS) -> None:
        self._settings = settings
        self._metrics = metrics
        self._reader = reader
        self._topics = topics(settings.topic_prefix)

    async def backlog(self) -> Backlog:
        """What is left, looked at in the order in which work flows: what moves on meanwhile is not missed."""
        async with open_admin(self._settings) as admin:
            events = await read_lag(
                self._settings, admin, self._settings.consumer_group, self._topics.entity_events.name
            )
            commands = await read_lag(
                self._settings, admin, self._settings.migration_group, self._topics.backfill_commands.name
            )
        work = await self._work()
        return Backlog(events, commands, work.open_repairs, work.untold)

    async def summary(self) -> Summary:
        """The counts of this moment."""
        async with open_admin(self._settings) as admin:
            published = await read_ends(self._settings, admin, self._topics.provenance.name)
        refusals = await count_refusals(dead_letters(self._settings, await find_spans(self._settings)))
        rows = await read_rows(self._reader)
        return Summary(await self._work(), rows, refusals, sum(published.values()))

    async def has_read_before(self) -> bool:
        """Whether the database remembers offsets of the entity events."""
        return (await self._work()).messages_read > 0

    async def timeline(self, entity: EntityRef) -> Timeline:
        """The timeline of an entity, at most `MAX_ENTRIES`; without entries if the log does not know it."""
        read = partial(read_timeline, self._reader, entity, limit=MAX_LIMIT, metrics=self._metrics)
        told = await read()
        while told.next is not None and len(told.entries) < MAX_ENTRIES:
            more = await read(after=Cursor.parse(told.next))
            told = replace(
                more, entries=told.entries + more.entries, parents={**told.parents, **more.parents}
            )
        return told

    async def album_to_show(self, albums: Collection[UUID]) -> UUID | None:
        """The album whose timeline shows most."""
        return await choose_album(self._reader, albums)

    async def conflict_counts(self) -> ConflictCounts:
        """How many events contradict others."""
        return await count_conflicts(self._reader)

    async def parent_conflicts(self, limit: int, after: str | None) -> Sequence[RowConflict]:
        """Rows that claim another parent than the one that counts."""
        return await collect(partial(parent_conflicts, self._reader), _cursor, limit, after)

    async def declaration_conflicts(self, limit: int, after: str | None) -> Sequence[RowConflict]:
        """Rows that declare another root than the one that was found."""
        return await collect(partial(declaration_conflicts, self._reader), _cursor, limit, after)

    async def cycles(self, limit: int, after: str | None) -> Sequence[Cycle]:
        """The cycles with their members."""
        return await collect(partial(cycles, self._reader), lambda first: first or "", limit, after)

    async def _work(self) -> Work:
        return await read_work(
            self._reader, group=self._settings.consumer_group, topic=self._topics.entity_events.name
        )


def _cursor(after: str | None) -> Cursor | None:
    return None if after is None else Cursor.parse(after)


@asynccontextmanager
async def open_observation(settings: Settings) -> AsyncIterator[Observation]:
    """An observation over a pool of its own."""
    async with open_pool(settings, name="llamalog observation", only_reads=True) as pool:
        yield Observation(settings, Reader(pool))
