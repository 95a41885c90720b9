"""A topic in memory that is ingested and rebuilt, as the consumer and `llamalog rebuild` would over Kafka."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import asyncpg
import msgspec

from harness.writers import GROUP, NAMES, TOPIC, KeptMessages, Message, Repairer
from llamalog_schemas.codec import encode
from llamalog_schemas.events import Event
from llamalog_service.ingest.ingest import Ingest
from llamalog_service.ingest.job_cache import JobCache
from llamalog_service.publish.announcer import Announcer
from llamalog_service.publish.topic_history import Portion, Span
from llamalog_service.replay.rebuild import Asked, Rebuild, Stores
from llamalog_service.replay.report import RebuildReport
from llamalog_service.store.comparison import ComparisonStore
from llamalog_service.store.live import LiveTable
from llamalog_service.store.log import LogStore
from llamalog_service.store.shadow import ShadowStore

PARTITIONS = 3


class KeptTopic:
    """A topic in memory: what is said goes to the end of a partition; a rebuild reads it as its history."""

    def __init__(self) -> None:
        self.partitions: dict[int, list[Message]] = {partition: [] for partition in range(PARTITIONS)}
        self.firsts: dict[int, int] = {}

    def say(self, value: bytes | Event | None, partition: int = 0) -> Message:
        messages = self.partitions[partition % PARTITIONS]
        encoded = value if value is None or isinstance(value, bytes) else encode(value)
        message = Message(encoded, len(messages), partition % PARTITIONS)
        messages.append(message)
        return message

    async def spans(self) -> dict[int, Span]:
        return {
            partition: Span(self.firsts.get(partition, 0), len(messages))
            for partition, messages in self.partitions.items()
        }

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """Some messages of every partition at a time."""
        at = {partition: starts.get(partition, 0) for partition in ends}
        while any(at[partition] < end for partition, end in ends.items()):
            records: list[Message] = []
            for partition, end in ends.items():
                records += self.partitions[partition][at[partition] : min(end, at[partition] + 7)]
                at[partition] = min(end, at[partition] + 7)
            yield Portion(records, dict(at))


class Installation:
    """A live table that a topic in memory is ingested into, repaired, and rebuilt."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.topic = KeptTopic()
        self.kept = KeptMessages()
        self._next = dict.fromkeys(self.topic.partitions, 0)
        announcer = Announcer(self.kept, NAMES, source="/tests")
        self._ingest = Ingest(LogStore(pool), announcer, JobCache(1000), group=GROUP)
        self.lines: list[dict[str, Any]] = []

    def say(self, events: Iterable[Event], partition: int | None = None) -> None:
        for number, event in enumerate(events):
            self.topic.say(event, number if partition is None else partition)

    async def ingest(self, partition: int, count: int = 1_000_000) -> None:
        """Ingest the next messages of a partition, as one batch."""
        begin = self._next[partition]
        messages = self.topic.partitions[partition][begin : begin + count]
        if messages:
            self._next[partition] += len(messages)
            await self._ingest.tell(await self._ingest.record(self._ingest.prepare(messages)))

    @property
    def unread(self) -> list[int]:
        """The partitions of which something is left to ingest."""
        return [at for at, messages in self.topic.partitions.items() if self._next[at] < len(messages)]

    async def ingest_all(self) -> None:
        """Ingest what is left, and do every command: the table is at rest."""
        for partition in self.topic.partitions:
            await self.ingest(partition)
        await self.settle()

    async def settle(self) -> None:
        await Repairer(self.pool, self.kept).settle()

    def rebuild(self, **given: Any) -> Rebuild:
        return Rebuild(
            Stores(LiveTable(self.pool), ShadowStore(self.pool), ComparisonStore(self.pool)),
            given.pop("history", self.topic),
            topic=TOPIC,
            group=GROUP,
            **given,
        )

    async def rebuilt(self, **asked: Any) -> RebuildReport:
        """Rebuild and compare; `lines` holds the differences then."""
        self.lines.clear()
        note = lambda line: self.lines.append(msgspec.json.decode(line))  # noqa: E731
        return await self.rebuild().run(Asked(note=note, **{"settle_seconds": 0.0, **asked}))

    @property
    def named(self) -> list[tuple[str, str]]:
        """The differences of the last rebuild: kind and row."""
        return sorted((line["kind"], line["id"]) for line in self.lines)

    async def revisions(self) -> dict[str, int]:
        records = await self.pool.fetch("SELECT id::text, revision FROM llama_logs")
        return dict(records)


async def rows_as_text(pool: asyncpg.Pool) -> list[str]:
    """Every row in full, but for when it was recorded and its revision."""
    records = await pool.fetch(
        "SELECT (to_jsonb(l) - ARRAY['recorded_at', 'revision'])::text AS row FROM llama_logs l ORDER BY id"
    )
    return [record["row"] for record in records]
