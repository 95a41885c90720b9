"""A topic in memory that is ingested and rebuilt, as the consumer and `llamalog rebuild` would over Kafka."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from harness.writers import GROUP, NAMES, OVERRIDES, TOPIC, KeptMessages, Message, Recomputer
from llamalog_schemas.codec import encode
from llamalog_schemas.events import Event, is_override
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.kafka.reader import Portion, Span
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.statements import expand
from llamalog_service.rebuild.rebuild import Rebuild, RebuildOptions
from llamalog_service.rebuild.repair import Repair, RepairStore
from llamalog_service.rebuild.report import RebuildReport

PARTITIONS = 3


class KeptTopic:
    """A topic in memory, appended to by `append`; a rebuild reads it as its history."""

    def __init__(self, name: str = TOPIC) -> None:
        self.name = name
        self.partitions: dict[int, list[Message]] = {partition: [] for partition in range(PARTITIONS)}
        self.firsts: dict[int, int] = {}

    def append(self, value: bytes | Event | None, partition: int = 0) -> Message:
        messages = self.partitions[partition % PARTITIONS]
        encoded = value if value is None or isinstance(value, bytes) else encode(value)
        message = Message(encoded, len(messages), partition % PARTITIONS, topic=self.name)
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
    """A live table that a topic in memory is ingested into, repaired, and rebuilt.

    Attributes:
        group: the consumer group that ingests and rebuilds; each reads the topic from its beginning.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.topic = KeptTopic()
        self.overrides = KeptTopic(OVERRIDES)
        self.kept = KeptMessages()
        self.group = GROUP
        self._event_publisher = EventPublisher(self.kept, NAMES, source="/tests")
        self._readers: dict[str, tuple[Ingest, dict[tuple[str, int], int]]] = {}
        self.lines: list[dict[str, Any]] = []

    def publish(self, events: Iterable[Event], partition: int | None = None) -> None:
        """Append events, each to its topic."""
        for number, event in enumerate(events):
            topic = self.overrides if is_override(event) else self.topic
            topic.append(event, number if partition is None else partition)

    async def ingest(self, partition: int, count: int = 1_000_000, topic: KeptTopic | None = None) -> None:
        """Ingest the next messages of a partition, as one batch."""
        topic = topic or self.topic
        ingest, next_offsets = self._reader()
        begin = next_offsets[topic.name, partition]
        messages = topic.partitions[partition][begin : begin + count]
        if messages:
            next_offsets[topic.name, partition] += len(messages)
            await ingest.publish(await ingest.record(await ingest.prepare(messages)))

    @property
    def unread(self) -> list[int]:
        """The partitions of which something is left to ingest."""
        _, next_offsets = self._reader()
        return [
            at for at, messages in self.topic.partitions.items() if next_offsets[TOPIC, at] < len(messages)
        ]

    def _reader(self) -> tuple[Ingest, dict[tuple[str, int], int]]:
        """The group's ingest, and the next offset of each partition that it reads."""
        if self.group not in self._readers:
            store = LogStore(self.pool)
            ingest = Ingest(store, self._event_publisher, JobCache(1000), group=self.group)
            partitions = [(topic, at) for topic in (TOPIC, OVERRIDES) for at in range(PARTITIONS)]
            self._readers[self.group] = ingest, dict.fromkeys(partitions, 0)
        return self._readers[self.group]

    async def ingest_all(self) -> None:
        """Ingest what is left, and do every command: the table is at rest."""
        for topic in (self.topic, self.overrides):
            for partition in topic.partitions:
                await self.ingest(partition, topic=topic)
        await self.settle()

    async def settle(self) -> None:
        await Recomputer(self.pool, self.kept).settle()

    def rebuild(self, **given: Any) -> Rebuild:
        return Rebuild(
            self.pool,
            given.pop("history", self.topic),
            self.overrides,
            topic=TOPIC,
            overrides_topic=OVERRIDES,
            group=self.group,
            **given,
        )

    async def rebuilt(self, **options: Any) -> RebuildReport:
        """Rebuild and compare; `lines` holds the differences then."""
        return await self.run(self.rebuild(), **options)

    async def repaired(
        self, between: Callable[[], Awaitable[None]] | None = None, **options: Any
    ) -> RebuildReport:
        """Rebuild, compare and repair.

        Args:
            between: done after the comparison, before anything is repaired.
        """
        repair = Repair(
            _RepairStoreAfter(self.pool, between),
            recompute=RecomputeStore(self.pool),
            outbox=ProvenanceOutbox(self.pool),
            event_publisher=self._event_publisher,
            on_progress=lambda _: None,
        )
        return await self.run(self.rebuild(repair=repair), **options)

    async def run(self, rebuild: Rebuild, **options: Any) -> RebuildReport:
        """Run a rebuild that does not wait for convergence unless that is among the options."""
        self.lines.clear()
        on_difference = lambda line: self.lines.append(msgspec.json.decode(line))  # noqa: E731
        return await rebuild.run(
            RebuildOptions(on_difference=on_difference, **{"convergence_timeout": 0.0, **options})
        )

    @property
    def named(self) -> list[tuple[str, str]]:
        """The differences of the last rebuild: kind and row."""
        return sorted((line["kind"], line["id"]) for line in self.lines)

    async def revisions(self) -> dict[str, int]:
        records = await self.pool.fetch("SELECT id::text, revision FROM llama_logs")
        return dict(records)


class _RepairStoreAfter(RepairStore):
    def __init__(self, pool: asyncpg.Pool, between: Callable[[], Awaitable[None]] | None) -> None:
        super().__init__(pool)
        self._between = between

    async def first_revision(self) -> int:
        if self._between is not None:
            await self._between()
        return await super().first_revision()


TAMPERED = [
    ("different", str(UUID(int=2))),
    ("different", str(UUID(int=6))),
    ("different", str(UUID(int=101))),
    ("extra", str(UUID(int=9999))),
    ("missing", str(UUID(int=4))),
]
"""The differences that `tamper` makes in rows of ``chains`` and to one without job and parent."""


async def tamper(pool: asyncpg.Pool) -> None:
    """A changed root, an edited metadata field, another origin, a deleted row, a row without an event."""
    await pool.execute(f"UPDATE llama_logs SET root_job_id = 'wrong' WHERE id = '{UUID(int=2)}'")
    await pool.execute(
        f"""UPDATE llama_logs SET metadata = metadata || '{{"edited": true}}' WHERE id = '{UUID(int=6)}'"""
    )
    await pool.execute(f"UPDATE llama_logs SET origin = 'PENDING' WHERE id = '{UUID(int=101)}'")
    await pool.execute(f"DELETE FROM llama_logs WHERE id = '{UUID(int=4)}'")
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, created_at, job_id, origin, root_job_id) "
        f"VALUES ('{UUID(int=9999)}', 'forged', 'CREATED', 'SUCCESS', now(), 'root-1', 'ROOT', 'root-1')"
    )


async def rows_as_text(pool: asyncpg.Pool) -> list[str]:
    """Every row in full, but for what says when, how often and by what it was written."""
    records = await pool.fetch(
        expand(
            "SELECT (to_jsonb(l) - ARRAY['recorded_at', 'revision', 'settled_by', 'producer_id'] "
            "|| jsonb_build_object('producer', {producer}))::text AS row FROM llama_logs l ORDER BY id"
        )
    )
    return [record["row"] for record in records]


async def empty_unlogged_tables(pool: asyncpg.Pool) -> None:
    """Empty the shadow as the recovery of a PostgreSQL that has crashed does."""
    names = await pool.fetch(
        "SELECT c.oid::regclass::text FROM pg_class c "
        "WHERE relnamespace = 'llamalog_rebuild'::regnamespace AND relpersistence = 'u' AND relkind = 'r'"
    )
    await pool.execute(f"TRUNCATE {', '.join(name for (name,) in names)}")
