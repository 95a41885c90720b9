"""Rebuilds of the log from its topic."""

import getpass
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import structlog
from aiokafka import TopicPartition

from llamalog_service.bootstrap.garbage_collector import rest_the_garbage_collector
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import open_admin, open_producer, open_reader
from llamalog_service.kafka.errors import TopicAbsentError
from llamalog_service.kafka.offsets import commit_if_behind, end_offsets, first_offsets, partitions_of
from llamalog_service.kafka.producer import MessageProducer
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.kafka.topic_history import Portion, Span, is_compacted, read_history
from llamalog_service.kafka.topics import topics
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.outbox import Outbox
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.locks import RebuildLock
from llamalog_service.postgres.pool import open_pool
from llamalog_service.rebuild.archive.archiver import Archiver, ArchiveReport
from llamalog_service.rebuild.archive.history import Archive, ArchiveAlone, ArchiveThenTopic
from llamalog_service.rebuild.comparison import ComparisonStore
from llamalog_service.rebuild.enum_labels import EnumLabelStore
from llamalog_service.rebuild.errors import CompactedError
from llamalog_service.rebuild.initial_load import InitialLoadStore
from llamalog_service.rebuild.live_table import LiveTable
from llamalog_service.rebuild.options import Asked, Stores
from llamalog_service.rebuild.reading import History, Watch
from llamalog_service.rebuild.rebuild import Rebuild
from llamalog_service.rebuild.repair import Repair, RepairStores
from llamalog_service.rebuild.repair_store import RepairStore
from llamalog_service.rebuild.report import RebuildReport
from llamalog_service.rebuild.shadow import ShadowStore
from llamalog_service.settings import Settings

_log = structlog.get_logger("llamalog.rebuild")


class Ways(NamedTuple):
    """What a rebuild reads, and what it may do to the live table.

    Attributes:
        fill: fill it if it is empty.
        repair: mend what differs.
        archive: a folder whose archive stands in for the beginning of the topic.
    """

    fill: bool = True
    repair: bool = False
    archive: Path | None = None


class TopicHistory:
    """The topic of entity events as a rebuild reads it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = topics(settings.topic_prefix).entity_events.name

    async def spans(self) -> dict[int, Span]:
        """What the topic holds of each partition.

        Raises:
            TopicAbsentError: there is no such topic.
            CompactedError: it does not hold every event that was told.
            UnavailableError: Kafka does not answer.
        """
        async with open_admin(self._settings) as admin:
            partitions = await partitions_of(admin, [self._topic])
            if not partitions:
                raise TopicAbsentError(self._topic)
            if self._settings.kafka_durable and await is_compacted(admin, self._topic):
                raise CompactedError(self._topic)
        async with open_reader(self._settings) as reader:
            ends = await end_offsets(reader, partitions, knows_ends=self._settings.kafka_durable)
            firsts = await first_offsets(reader, partitions) if self._settings.kafka_durable else {}
        return {at.partition: Span(firsts.get(at, 0), end) for at, end in ends.items()}

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """The messages from `starts` up to before `ends`, by partition.

        Raises:
            MessagesGoneError: the topic has lost some of them since it was looked at.
            UnavailableError: Kafka does not answer.
        """
        if all(starts.get(partition, 0) >= end for partition, end in ends.items()):
            return  # aiokafka's consumer does not stop well before it has fetched anything
        async with open_reader(self._settings, skips=False) as reader:
            async for portion in read_history(reader, self._topic, starts, ends):
                yield portion


async def rebuild_log(settings: Settings, asked: Asked, ways: Ways, watch: Watch) -> RebuildReport:
    """Rebuild the log from its topic and compare it with the live table.

    Raises:
        LlamalogError: what was refused, and why.
    """
    rest_the_garbage_collector()
    names = topics(settings.topic_prefix)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings, name="llamalog rebuild", keep_plans=False, answer_within=None)
        )
        repair = None
        if ways.repair:
            looking = await stack.enter_async_context(open_pool(settings, name="llamalog rebuild, telling"))
            producer = await stack.enter_async_context(open_producer(settings))
            repair = Repair(
                RepairStores(RepairStore(pool), RecomputeStore(pool), LogStore(looking), Outbox(looking)),
                EventPublisher(MessageProducer(producer), names, source="/llamalog/rebuild"),
                watch,
            )
        filling = InitialLoadStore(pool) if ways.fill else None
        history, source = _history(settings, ways.archive, alone=asked.archive_only)
        rebuild = Rebuild(
            Stores(
                RebuildLock(pool),
                LiveTable(pool),
                ShadowStore(pool),
                ComparisonStore(pool),
                EnumLabelStore(pool),
                filling,
            ),
            history,
            source=source,
            topic=names.entity_events.name,
            group=settings.consumer_group,
            begun_by=f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}",
            repair=repair,
            watch=watch,
        )
        report = await rebuild.run(asked)
    if report.filled and settings.kafka_durable and not asked.archive_only:
        await _commit(settings, report)
    return report


def _history(settings: Settings, archive: Path | None, *, alone: bool) -> tuple[History, str]:
    """What is read, and its name for those who find what is left of a rebuild."""
    topic = TopicHistory(settings)
    if archive is None:
        return topic, "the topic"
    name = topics(settings.topic_prefix).entity_events.name
    read = Archive(archive, name)
    if alone:
        return ArchiveAlone(read), f"the archive {archive.resolve()} alone"
    return ArchiveThenTopic(read, topic), f"the archive {archive.resolve()}"


async def archive_topic(settings: Settings, folder: Path, watch: Watch) -> ArchiveReport:
    """Continue the archive of the topic of entity events up to where the topic ends.

    Raises:
        LlamalogError: the archive is damaged or not of this topic, or Kafka is away.
    """
    name = topics(settings.topic_prefix).entity_events.name
    return await Archiver(folder, name, TopicHistory(settings), watch).run()


async def check_archive(settings: Settings, folder: Path, watch: Watch) -> ArchiveReport:
    """Verify every segment of an archive; reads files alone.

    Raises:
        ArchiveError: it is damaged, not of this topic, or a segment is missing.
    """
    name = topics(settings.topic_prefix).entity_events.name
    spans = await Archive(folder, name).check(watch)
    return ArchiveReport(name, 0, {str(partition): span.end for partition, span in sorted(spans.items())})


async def _commit(settings: Settings, report: RebuildReport) -> None:
    """Have the consumer begin where the filled table ends; it would find nothing but duplicates before."""
    offsets = {TopicPartition(report.topic, int(at)): offset for at, offset in report.positions.items()}
    said = "the consumer group reads again what it has not committed, and finds duplicates"
    try:
        async with open_reader(settings, group=settings.consumer_group) as member:
            if not await commit_if_behind(member, offsets):
                _log.info(said, topic=report.topic, reason="it is at work")
    except UnavailableError as away:
        _log.warning(said, topic=report.topic, reason=str(away))
