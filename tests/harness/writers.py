"""Ingests and recomputes in this process: what they publish is kept rather than sent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

import asyncpg

from harness.provenance import believed
from llamalog_schemas.codec import Headers, decode_command, encode
from llamalog_schemas.commands import RecomputeRoots
from llamalog_schemas.events import Event, is_override
from llamalog_schemas.provenance import Provenance
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.publishers import CorrectionRelay
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.ingest.batch_stats import BatchOutcome
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import EventPublisher, MessageProducer
from llamalog_service.kafka.topics import topics
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import FEW_JOBS, RecomputeStore, recompute_until_converged
from llamalog_service.log.retractions import Retractor

TOPIC = "tests.entity-events"
OVERRIDES = "tests.overrides"
GROUP = "tests"
NAMES = topics("tests.")


def topic_of(event: Event) -> str:
    """The topic that an event belongs in."""
    return OVERRIDES if is_override(event) else TOPIC


@dataclass
class Message:
    """A message as consumed."""

    value: bytes | None
    offset: int = 0
    partition: int = 0
    key: bytes | None = None
    headers: Headers = ()
    topic: str = TOPIC


class KeptMessages(MessageProducer):
    """A publisher that acknowledges at once and keeps what it was given, by topic.

    Attributes:
        is_away: called at every send, whether Kafka is away for it.
    """

    def __init__(self, is_away: Callable[[], bool] = lambda: False) -> None:
        self.by_topic: dict[str, list[MessageToSend]] = {}
        self.is_away = is_away

    async def send(self, topic: str, messages: Iterable[MessageToSend]) -> None:
        if self.is_away():
            raise UnavailableError(f"{topic}: by order of the test")
        self.by_topic.setdefault(topic, []).extend(messages)

    send_batched = send

    def count(self) -> int:
        """How many messages it has been given and still keeps."""
        return sum(map(len, self.by_topic.values()))

    def take_commands(self) -> list[tuple[str, ...]]:
        """The jobs of every command published since the last call."""
        messages = self.by_topic.pop(NAMES.backfill_commands.name, [])
        commands = [decode_command(message.value or b"") for message in messages]
        return [command.data.jobs for command in commands if isinstance(command, RecomputeRoots)]

    @property
    def dead_letters(self) -> list[MessageToSend]:
        return self.by_topic.get(NAMES.dead_letters.name, [])

    @property
    def provenance(self) -> dict[UUID, Provenance]:
        """What a reader of the provenance topic believes."""
        values_by_key: dict[bytes | None, list[bytes]] = {}
        for message in self.by_topic.get(NAMES.provenance.name, []):
            if message.value is None:
                values_by_key.pop(message.key, None)  # as compaction does
            else:
                values_by_key.setdefault(message.key, []).append(message.value)
        return believed(value for values in values_by_key.values() for value in values)

    @property
    def removals(self) -> list[str]:
        """The rows of which a reader of the provenance topic hears that they are gone, in order."""
        messages = self.by_topic.get(NAMES.provenance.name, [])
        return [(message.key or b"").decode() for message in messages if message.value is None]


@dataclass
class Writer:
    """A provenance consumer without its Kafka: an ingest with a cache of its own."""

    pool: asyncpg.Pool
    kept: KeptMessages
    partition: int = 0
    after_failure: Callable[[], Literal["publish again", "requeue", "crash"]] = lambda: "publish again"
    _offset: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.lose_memory()

    def lose_memory(self) -> None:
        """As a crash does."""
        event_publisher = EventPublisher(self.kept, NAMES, source="/tests")
        self._ingest = Ingest(LogStore(self.pool), event_publisher, JobCache(1000), group=GROUP)

    async def write(self, *events: Event) -> BatchOutcome:
        """Ingest events as one batch, as often as it takes while Kafka is away."""
        messages = [
            Message(encode(event), offset, self.partition, topic=topic_of(event))
            for offset, event in enumerate(events, self._offset)
        ]
        self._offset += len(messages)
        while True:
            written = await self._ingest.record(await self._ingest.prepare(messages))
            while True:
                try:
                    return await self._ingest.publish(written)
                except UnavailableError:
                    match self.after_failure():
                        case "publish again":
                            continue
                        case "crash":
                            self.lose_memory()
                break


@dataclass
class Recomputer:
    """A migration consumer without its Kafka: it does the commands that were kept.

    Attributes:
        few_jobs: so many are corrected without work tables.
    """

    pool: asyncpg.Pool
    kept: KeptMessages
    few_jobs: int = FEW_JOBS

    @property
    def store(self) -> RecomputeStore:
        return RecomputeStore(self.pool, most_jobs=self.few_jobs)

    async def recompute(self, jobs: Iterable[str]) -> None:
        """Do one command."""
        await recompute_until_converged(self.store, sorted(set(jobs)))

    async def settle(self) -> None:
        """Do every published command, then publish the corrections."""
        await self.apply_retractions()
        for jobs in self.kept.take_commands():
            await self.recompute(jobs)
        await self.publish_corrections()

    async def apply_retractions(self) -> None:
        """Apply every retraction that waits."""
        while await Retractor(self.pool, self.store).apply_next():
            pass

    async def publish_corrections(self) -> None:
        publisher = EventPublisher(self.kept, NAMES, source="/tests")
        relay = CorrectionRelay(ProvenanceOutbox(self.pool), BackfillStore(self.pool), publisher)
        while await relay.publish_next():
            pass
