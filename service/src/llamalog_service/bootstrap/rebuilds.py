"""Composition of rebuilds, archives and republishing."""

import asyncio
import getpass
import os
import socket
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import uvloop
from msgspec.structs import replace

from llamalog_service.bootstrap import require_fit_servers, tune_garbage_collector
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.clients import require_login
from llamalog_service.kafka.publisher import open_publisher
from llamalog_service.kafka.reader import TopicReader, commit_if_behind
from llamalog_service.kafka.topics import topics_of
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.log.topic_moves import require_recorded_topic
from llamalog_service.postgres.database_checks import require_fit_database
from llamalog_service.postgres.pool import open_pool
from llamalog_service.rebuild.archive.archive import (
    OVERRIDES_FOLDER,
    Archive,
    ArchiveOnly,
    ArchiveThenTopic,
    NoHistory,
)
from llamalog_service.rebuild.archive.archiver import Archiver, ArchiveReport
from llamalog_service.rebuild.archive.segments import list_segments
from llamalog_service.rebuild.ports import History, OnProgress
from llamalog_service.rebuild.reading import ReaderProcesses, Share, end_with_parent, read_own_share
from llamalog_service.rebuild.rebuild import Rebuild, RebuildOptions
from llamalog_service.rebuild.repair import Repair, RepairStore
from llamalog_service.rebuild.report import RebuildReport
from llamalog_service.rebuild.republish import Republisher, RepublishSelection, RepublishStore
from llamalog_service.settings import Settings

_log = structlog.get_logger("llamalog.rebuild")

_USUAL_PROCESSES: Final = 4
"""Each has up to 170 MB; PostgreSQL, which writes what they read, needs cores too."""


async def rebuild_log(
    settings: Settings,
    options: RebuildOptions,
    on_progress: OnProgress,
    *,
    repair: bool = False,
    archive: Path | None = None,
    processes: int | None = None,
) -> RebuildReport:
    """Rebuild the log from its topics and compare it with the live table.

    Args:
        processes: how many share the reading of a long topic at most; None: one for each core, four at most.
        repair: apply the differences to the live table.
        archive: a folder whose archive is read before the topic, or instead of it (`options.archive_only`).

    Raises:
        LlamalogError: as for `Rebuild.run`.
    """
    tune_garbage_collector()
    names, group = topics_of(settings), settings.consumer_group
    await require_fit_database(settings)
    if not options.archive_only:
        await require_login(settings)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings, name="llamalog rebuild", keep_plans=False, answer_within=None)
        )
        await require_recorded_topic(pool, names.entity_events.name)
        repairs = None
        if repair:
            reads = await stack.enter_async_context(open_pool(settings, name="llamalog rebuild, publishing"))
            event_publisher = await stack.enter_async_context(open_publisher(settings, "/llamalog/rebuild"))
            repairs = Repair(
                RepairStore(pool),
                recompute=RecomputeStore(pool),
                outbox=ProvenanceOutbox(reads),
                event_publisher=event_publisher,
                on_progress=on_progress,
            )
        history, source = _history(settings, archive, archive_only=options.archive_only)
        overrides = _override_history(settings, archive, archive_only=options.archive_only)
        rebuild = Rebuild(
            pool,
            history,
            overrides,
            source=source,
            topic=names.entity_events.name,
            overrides_topic=names.overrides.name,
            group=group,
            begun_by=f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}",
            repair=repairs,
            readers=ReaderProcesses(
                processes or min(_USUAL_PROCESSES, len(os.sched_getaffinity(0))),
                partial(read_share, settings, archive, options.archive_only),
            ),
            commit=partial(commit_if_behind, settings, group) if settings.kafka_durable else None,
            on_progress=on_progress,
        )
        return await rebuild.run(options)


def read_share(settings: Settings, archive: Path | None, archive_only: bool, share: Share) -> None:
    """Read a share of a rebuild's partitions, in a process that does nothing else."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        end_with_parent(runner.get_loop())
        try:
            runner.run(_read_share(settings, archive, share, archive_only=archive_only))
        except LlamalogError as error:
            raise SystemExit(error.exit_code) from error


async def _read_share(settings: Settings, archive: Path | None, share: Share, *, archive_only: bool) -> None:
    tune_garbage_collector()
    history, _ = _history(settings, archive, archive_only=archive_only)
    async with open_pool(
        settings, name="llamalog rebuild, reading", keep_plans=False, answer_within=None
    ) as pool:
        await read_own_share(pool, history, share)


def _history(settings: Settings, folder: Path | None, *, archive_only: bool) -> tuple[History, str]:
    """The history to read, and its name in the shadow's metadata."""
    name = topics_of(settings).entity_events.name
    topic = TopicReader(settings, name)
    if folder is None:
        return topic, "the topic"
    archive = Archive(folder, name)
    if archive_only:
        return ArchiveOnly(archive), f"the archive {folder.resolve()} alone"
    return ArchiveThenTopic(archive, topic), f"the archive {folder.resolve()}"


def _override_history(settings: Settings, folder: Path | None, *, archive_only: bool) -> History:
    """The history of overrides; an archive that is older than their topic has none."""
    name = topics_of(settings).overrides.name
    archive = None if folder is None else Archive(folder / OVERRIDES_FOLDER, name)
    if folder is not None and archive is not None and archive_only:
        if (folder / OVERRIDES_FOLDER).is_dir():
            return ArchiveOnly(archive)
        _log.warning("the archive holds no overrides", folder=str(folder), topic=name)
        return NoHistory()
    topic = TopicReader(settings, name)
    if archive is None or not list_segments(archive.folder):
        return topic
    return ArchiveThenTopic(archive, topic)


async def archive_topics(settings: Settings, folder: Path, on_progress: OnProgress) -> ArchiveReport:
    """Continue the archive of entity events and overrides up to the ends of their topics.

    Raises:
        LlamalogError: the archive is damaged or not of these topics, or Kafka is away.
    """
    names = topics_of(settings)
    reports = [
        await Archiver(place, name, TopicReader(settings, name), on_progress).run()
        for place, name in (
            (folder, names.entity_events.name),
            (folder / OVERRIDES_FOLDER, names.overrides.name),
        )
    ]
    return replace(reports[0], overrides=reports[1])


async def check_archive(settings: Settings, folder: Path, on_progress: OnProgress) -> ArchiveReport:
    """Verify every segment of an archive; reads files alone.

    Raises:
        ArchiveError: it is damaged, not of this topic, or a segment is missing.
    """
    names = topics_of(settings)
    report = await _checked(folder, names.entity_events.name, on_progress)
    if not (folder / OVERRIDES_FOLDER).is_dir():
        return report
    overrides = await _checked(folder / OVERRIDES_FOLDER, names.overrides.name, on_progress)
    return replace(report, overrides=overrides)


async def _checked(folder: Path, name: str, on_progress: OnProgress) -> ArchiveReport:
    spans = await Archive(folder, name).check(on_progress)
    return ArchiveReport(name, 0, {str(partition): span.end for partition, span in sorted(spans.items())})


async def republish_provenance(
    settings: Settings,
    selection: RepublishSelection,
    on_progress: OnProgress,
    *,
    rate: float | None = None,
    resume: bool = False,
    supersede: bool = False,
    timeout: float | None = None,
) -> int:
    """Publish current rows again; how many.

    Args:
        rate: rows a second at most; None: without a limit.
        resume: continue an interrupted run with the same selection.
        supersede: raise the rows' revisions first.
        timeout: seconds to wait for Kafka at the start; None waits without a limit.

    Raises:
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    await require_fit_servers(settings, timeout=timeout)
    async with (
        open_pool(settings, name="llamalog republish", keep_plans=False) as scans,
        open_pool(settings, name="llamalog republish, publishing") as reads,
        open_publisher(settings, "/llamalog/republish", timeout=timeout) as event_publisher,
    ):
        store = RepublishStore(scans, topics_of(settings).provenance.name)
        republisher = Republisher(
            store, ProvenanceOutbox(reads), event_publisher, rate=rate, on_progress=on_progress
        )
        return await republisher.run(selection, resume=resume, supersede=supersede)
