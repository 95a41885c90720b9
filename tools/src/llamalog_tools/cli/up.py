"""`llamalog-dev up`: a local stack with the sample catalogue going through it."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

import typer
from rich.progress import Progress

from llamalog_schemas.events import EntityType
from llamalog_service.adoption.migration_runner import empty_database, migrate
from llamalog_service.cli.lineages import timeline_tree, whole_timeline
from llamalog_service.cli.migrate import applied
from llamalog_service.cli.runtime import (
    TIMEOUT,
    console,
    exit_on_error,
    read_settings,
    run,
    signals_as_interrupts,
)
from llamalog_service.kafka.topics import create_missing_topics
from llamalog_service.queries.entities import EntityRef
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings
from llamalog_tools.cli.cluster_note import ClusterNote, OtherClusterError, is_stale
from llamalog_tools.cli.options import Albums, Bad, Duplicates, Late, Seed
from llamalog_tools.cli.processes import ServiceProcesses
from llamalog_tools.cli.report import (
    Backlog,
    Observation,
    open_observation,
    print_where_to_look,
    summary_table,
)
from llamalog_tools.cli.simulate import albums_bar, summary_of
from llamalog_tools.counts import Summary, choose_album
from llamalog_tools.demo.messages import SampleMessage
from llamalog_tools.demo.publish import Played, Sample, play_sample, play_slowly
from llamalog_tools.demo.sent import bad_messages_sent, unsent
from llamalog_tools.devstack import GivenPostgres, LocalStack

_WATCH_SECONDS = 0.5
_POLL_SECONDS = 0.3

_FIRST_MESSAGES = 20
"""Played before all others: once they are recorded, the consumers have joined, and the day can begin."""

_AT_ONCE = 100
_PAUSE = 0.05
_ALBUMS_TO_CHOOSE_FROM = 1000
_TIMELINE_ENTRIES = 10_000

Data = Annotated[Path, typer.Option(help="Folder for the data and the logs; delete it to begin anew.")]


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A run of `up`: running servers, processes of the service that are yet to be started, a folder."""

    stack: LocalStack
    processes: ServiceProcesses
    settings: Settings
    data: Path
    notify: Callable[[str], None]


def up(  # noqa: PLR0917 -- typer calls it by name
    data: Data = Path(".llamalog"),
    albums: Albums = 68,
    late: Late = 0.05,
    duplicates: Duplicates = 0.01,
    bad: Bad = 0.005,
    seed: Seed = 7,
) -> None:
    """Start PostgreSQL, Kafka, the consumers and the API here, play the sample catalogue, show the outcome.

    Runs until Ctrl-C. A second start works on what the first left.
    """
    sample = Sample(albums, late, duplicates, bad, seed)
    try:
        with signals_as_interrupts(), exit_on_error():
            _run_until_stopped(data, sample)
    except KeyboardInterrupt:
        print_plain(f"Everything has stopped. The data stays in {data}.")


def _run_until_stopped(data: Path, sample: Sample) -> None:
    with LocalStack(data, notify=print_plain) as stack:
        settings = _settings_for(stack)
        with ServiceProcesses(data, settings, print_plain) as processes:
            try:
                run(_watched(LocalRun(stack, processes, settings, data, print_plain), sample))
            finally:
                print_plain("\nStopping: first the API and the consumers, then Kafka, then PostgreSQL.")
                _die_by_the_next_interrupt()


def _settings_for(stack: LocalStack) -> Settings:
    """The settings of the local stack; those that it does not decide are read as always."""
    decided: dict[str, object] = {"database_url": stack.postgres.url, "kafka": stack.kafka.bootstrap}
    if not isinstance(stack.postgres, GivenPostgres):
        decided["database_password_file"] = None
    if not stack.kafka.durable:
        decided["kafka_durable"] = False
    return read_settings(**decided)


async def _watched(local: LocalRun, sample: Sample) -> None:
    """Show the sample, and stay until interrupted; what ends by itself is started again."""

    async def watch() -> None:
        while True:
            await asyncio.to_thread(local.stack.restart_ended)
            await asyncio.to_thread(local.processes.restart_ended)
            await asyncio.sleep(_WATCH_SECONDS)

    watching = asyncio.create_task(watch())
    showing = asyncio.create_task(show(local, sample))
    try:
        await asyncio.wait({watching, showing}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (watching, showing):
            if task.done():
                task.result()
    finally:
        await end(watching, showing)


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they have ended: Kafka's client sometimes swallows a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_WATCH_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


def _die_by_the_next_interrupt() -> None:
    """From here on a second Ctrl-C kills this process; the kernel ends the programs that it started."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def print_plain(line: str) -> None:
    """Print a line unwrapped and without markup."""
    console.print(line, markup=False, soft_wrap=True)


async def show(local: LocalRun, sample: Sample) -> None:
    """Migrate, create the topics, start the consumers, play the sample, and print the outcome.

    Raises:
        LlamalogError: a step failed; the message says why and what to do.
    """
    settings, notify = local.settings, local.notify
    async with open_observation(settings) as observation:
        await _prepare(local, observation)
        before = await _summary(observation)
        sent_before = await bad_messages_sent(settings, sample)
        local.processes.start()
        pages = local.processes.pages
        notify(f"The provenance consumer and the migration consumer were started, and the API: {pages}")
        if before.work.messages_read:
            notify("The sample is played on top of what an earlier start left.")
        messages = unsent(sample.messages(), sent_before)
        played = await _play(settings, sample, messages, observation)
        notify(summary_of(played, sample.albums))
        if sent_before:
            notify(f"{sent_before.total():,} that are no valid event were in the topic and not sent again.")
        in_all = await _summary(observation)
        this_run = in_all.since(before)
        console.print(summary_table(this_run, in_all))
        if this_run.duplicates > played.duplicates:
            notify("What an earlier start had played counts as duplicates: nothing was written twice.")
        albums = sample.created_albums[:_ALBUMS_TO_CHOOSE_FROM]
        album = await retry_until_available(
            lambda: _print_timeline(observation, albums), doing="reading a timeline"
        )
    print_where_to_look(
        settings,
        kafka=local.stack.kafka.name,
        database=_shown(local.stack),
        password_file=_password_file(local),
        pages=local.processes.pages,
        addresses=local.processes.addresses,
        logs=local.processes.logs,
        album=album,
    )
    notify("\nRunning until Ctrl-C.")


async def _prepare(local: LocalRun, observation: Observation) -> None:
    """Migrate the database, empty it if its offsets are stale, and create the topics."""
    local.notify(applied(await migrate(local.settings.database_dsn())))
    await _empty_if_stale(local, observation)
    topics = await create_missing_topics(local.settings, timeout=TIMEOUT)
    created = sum(topic.created for topic in topics)
    local.notify(f"{created} topics were created." if created else "The topics stood already.")


async def _empty_if_stale(local: LocalRun, observation: Observation) -> None:
    stack, kafka = local.stack, local.stack.kafka
    note = ClusterNote(local.data, _name(stack))
    has_read = await observation.has_read_before()
    if is_stale(note.read(), kafka.cluster_id, durable=kafka.durable, has_read=has_read):
        if isinstance(stack.postgres, GivenPostgres):
            raise OtherClusterError(_shown(stack), kafka.name)
        await empty_database(local.settings.database_dsn())
        await migrate(local.settings.database_dsn())
        why = "has other topics" if kafka.durable else "keeps topics in memory only"
        local.notify(f"The database was emptied: {kafka.name} {why}, not those that it was filled from.")
    note.write(kafka.cluster_id)


def _name(stack: LocalStack) -> str:
    """The name of the database in the note: the port of one of our own may change."""
    return _shown(stack) if isinstance(stack.postgres, GivenPostgres) else "our own"


def _password_file(local: LocalRun) -> Path | None:
    """The file with the database's password; None: the URL that was given has it, or needs none."""
    postgres = local.stack.postgres
    if isinstance(postgres, GivenPostgres):
        return local.settings.database_password_file
    return postgres.password_file


def _shown(stack: LocalStack) -> str:
    """The database's URL, without the password: what is printed may be kept by a log or a CI system."""
    if not isinstance(stack.postgres, GivenPostgres):
        return stack.postgres.url_without_password
    password = urlsplit(stack.postgres.url).password
    return stack.postgres.url.replace(f":{password}@", ":…@") if password else stack.postgres.url


async def _summary(observation: Observation) -> Summary:
    return await retry_until_available(observation.summary, doing="counting")


async def _play(
    settings: Settings, sample: Sample, messages: Iterator[SampleMessage], observation: Observation
) -> Played:
    """Play the sample's messages and wait until all that follows from them is done."""
    with albums_bar() as bar:
        task = bar.add_task("waiting for the consumers", total=sample.albums)
        first = await play_sample(settings, islice(messages, _FIRST_MESSAGES))
        while (await _backlog(observation)).events:  # noqa: ASYNC110 -- another process makes it so
            await asyncio.sleep(_POLL_SECONDS)
        bar.update(task, description="playing the sample")

        def show_albums(_: Played) -> None:
            bar.update(task, completed=len(sample.created_albums))

        rest = await play_slowly(settings, messages, at_once=_AT_ONCE, pause=_PAUSE, progress=show_albums)
        bar.update(task, completed=sample.albums)
        await _wait_until_idle(observation, bar)
    return first.and_then(rest)


async def _wait_until_idle(observation: Observation, bar: Progress) -> None:
    """Wait until all offsets are committed, all commands done, and all corrections published."""
    task = bar.add_task("waiting until all is done", total=None)
    while not (backlog := await _backlog(observation)).is_empty:
        bar.update(
            task,
            description=(
                f"left to do: {backlog.events:,} messages, {backlog.commands + backlog.open_runs:,} "
                f"commands, {backlog.unpublished:,} corrections to publish"
            ),
        )
        await asyncio.sleep(_POLL_SECONDS)
    bar.remove_task(task)


async def _backlog(observation: Observation) -> Backlog:
    return await retry_until_available(observation.backlog, doing="reading the consumers' backlog")


async def _print_timeline(observation: Observation, albums: list[UUID]) -> UUID | None:
    """Print the timeline of the album that has most to show; its id."""
    album = await choose_album(observation.reader, albums)
    if album is not None:
        entity = EntityRef(type=EntityType.ALBUM, id=album)
        console.print(
            timeline_tree(
                await whole_timeline(
                    observation.reader, entity, include_orphans=True, limit=_TIMELINE_ENTRIES
                )
            )
        )
    return album
