"""Ingests and repairs in this process: what they say is kept rather than sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from llamalog_schemas.codec import Headers, decode_command, decode_provenance, encode
from llamalog_schemas.events import Event
from llamalog_schemas.provenance import Provenance
from llamalog_service.backfill.corrections import tell_corrections
from llamalog_service.backfill.recompute import recompute_until_settled
from llamalog_service.ingest.ingest import Ingest, Outcome
from llamalog_service.ingest.job_cache import JobCache
from llamalog_service.publish.announcer import Announcer
from llamalog_service.publish.producer import OutgoingMessage, Publisher
from llamalog_service.publish.topics import topics
from llamalog_service.store.log import LogStore
from llamalog_service.store.outbox import Outbox
from llamalog_service.store.recompute import RecomputeStore

TOPIC = "tests.entity-events"
GROUP = "tests"
NAMES = topics("tests.")


@dataclass
class Message:
    """A message as consumed."""

    value: bytes | None
    offset: int = 0
    partition: int = 0
    key: bytes | None = None
    headers: Headers = ()
    topic: str = TOPIC


class KeptMessages(Publisher):
    """A publisher that acknowledges at once and keeps what it was given, by topic."""

    def __init__(self) -> None:
        self.by_topic: dict[str, list[OutgoingMessage]] = {}

    async def publish(self, topic: str, messages: Sequence[OutgoingMessage]) -> None:
        self.by_topic.setdefault(topic, []).extend(messages)

    async def publish_keyed(self, topic: str, messages: Iterable[OutgoingMessage]) -> None:
        self.by_topic.setdefault(topic, []).extend(messages)

    def take_commands(self) -> list[tuple[str, ...]]:
        """The jobs of every command said since the last call."""
        messages = self.by_topic.pop(NAMES.backfill_commands.name, [])
        return [decode_command(message.value or b"").data.jobs for message in messages]

    @property
    def dead_letters(self) -> list[OutgoingMessage]:
        return self.by_topic.get(NAMES.dead_letters.name, [])

    @property
    def provenance(self) -> dict[UUID, Provenance]:
        """What a reader of the provenance topic believes: the highest revision of each row."""
        messages = self.by_topic.get(NAMES.provenance.name, [])
        return newest(decode_provenance(message.value or b"").data for message in messages)


def newest(said: Iterable[Provenance]) -> dict[UUID, Provenance]:
    """The highest revision of each row."""
    believed: dict[UUID, Provenance] = {}
    for record in said:
        known = believed.get(record.id)
        if known is None or record.revision > known.revision:
            believed[record.id] = record
    return believed


@dataclass
class Writer:
    """A provenance consumer without its Kafka: an ingest with a cache of its own."""

    pool: asyncpg.Pool
    kept: KeptMessages
    partition: int = 0
    cached_jobs: int = 1000
    _offset: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.lose_memory()

    def lose_memory(self) -> None:
        """As a crash does."""
        announcer = Announcer(self.kept, NAMES, source="/tests")
        self._ingest = Ingest(LogStore(self.pool), announcer, JobCache(self.cached_jobs), group=GROUP)

    async def write(self, *events: Event) -> Outcome:
        """Ingest events as one batch."""
        written = await self._ingest.record([self._message(encode(event)) for event in events])
        return await self._ingest.tell(written)

    def _message(self, value: bytes) -> Message:
        self._offset += 1
        return Message(value, self._offset - 1, self.partition)


@dataclass
class Repairer:
    """A migration consumer without its Kafka: it does the commands that were kept."""

    pool: asyncpg.Pool
    kept: KeptMessages

    @property
    def store(self) -> RecomputeStore:
        return RecomputeStore(self.pool)

    async def repair(self, jobs: Iterable[str]) -> None:
        """Do one command."""
        await recompute_until_settled(self.store, sorted(set(jobs)))

    async def settle(self) -> None:
        """Do every command said, then tell the corrections."""
        for jobs in self.kept.take_commands():
            await self.repair(jobs)
        await self.tell()

    async def tell(self) -> None:
        await tell_corrections(Outbox(self.pool), Announcer(self.kept, NAMES, source="/tests"))


def believed_otherwise(kept: KeptMessages, stored: dict[UUID, Any]) -> list[str]:
    """Rows of which the provenance topic tells another story than the table."""
    believed = kept.provenance
    told = {
        row_id: (record.revision, record.root_job_id, record.origin, record.cycle_members)
        for row_id, record in believed.items()
    }
    held = {
        row_id: (row.revision, row.root.root_job_id, row.root.origin, row.root.cycle_members)
        for row_id, row in stored.items()
    }
    return [
        f"{row_id}: told {told.get(row_id)}, stored {held.get(row_id)}"
        for row_id in sorted(told.keys() | held.keys())
        if told.get(row_id) != held.get(row_id)
    ]
