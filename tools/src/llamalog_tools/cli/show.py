"""Fill the local stack with the sample day and show the outcome."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from rich.progress import Progress

from llamalog_schemas.events import EntityType
from llamalog_service.adoption.migration_runner import empty_database, migrate
from llamalog_service.bootstrap.observation import Backlog, Observation, open_observation
from llamalog_service.cli.migrate import applied
from llamalog_service.cli.runtime import TIMEOUT, console
from llamalog_service.cli.timeline import timeline_tree
from llamalog_service.kafka.topics import create_missing_topics
from llamalog_service.queries.names import EntityRef
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings
from llamalog_tools.cli.children import Children
from llamalog_tools.cli.memory import FilledFrom, OtherKafkaError, is_void
from llamalog_tools.cli.report import print_where_to_look, summary_table
from llamalog_tools.cli.simulate import albums_bar, told
from llamalog_tools.demo.play import Played
from llamalog_tools.demo.publish import Sample, play_sample, play_slowly
from llamalog_tools.devstack import GivenPostgres, LocalStack

_FIRST_MESSAGES = 20
"""Played by themselves: when they are recorded, the consumers are there, and the day can begin."""

_AT_ONCE = 100
_PAUSE = 0.05
_POLL_SECONDS = 0.3
_ALBUMS_TO_CHOOSE_FROM = 1000


@dataclass(frozen=True, slots=True)
class Stage:
    """What is at hand: running servers, consumers yet to be started, where to keep and to say things."""

    stack: LocalStack
    children: Children
    settings: Settings
    data: Path
    say: Callable[[str], None]


async def show(stage: Stage, sample: Sample) -> None:
    """Migrate, create the topics, start the consumers, play the sample, and print what happened.

    Raises:
        LlamalogError: what went wrong and what to do.
    """
    settings, say = stage.settings, stage.say
    async with open_observation(settings) as observation:
        await _prepare(stage, observation)
        before = await observation.summary()
        stage.children.start()
        pages = stage.children.pages
        say(f"The provenance consumer and the migration consumer were started, and the API: {pages}")
        if before.work.messages_read:
            say("The sample is played on top of what an earlier start left.")
        played = await _play(settings, sample, observation)
        say(told(played, sample.albums))
        in_all = await observation.summary()
        this_run = in_all.since(before)
        console.print(summary_table(this_run, in_all))
        if this_run.duplicates > played.duplicates:
            say("What an earlier start had played counts as duplicates: nothing was written twice.")
        album = await _print_timeline(observation, sample.told[:_ALBUMS_TO_CHOOSE_FROM])
    print_where_to_look(
        settings,
        kafka=stage.stack.kafka.name,
        database=_shown(stage.stack),
        pages=stage.children.pages,
        addresses=stage.children.addresses,
        logs=stage.children.logs,
        album=album,
    )
    say("\nRunning until Ctrl-C.")


async def _prepare(stage: Stage, observation: Observation) -> None:
    """A migrated database that belongs to the Kafka that runs, and the topics."""
    stage.say(applied(await migrate(stage.settings.database_dsn())))
    await _begin_anew_if_void(stage, observation)
    topics = await create_missing_topics(stage.settings, timeout=TIMEOUT)
    created = sum(topic.created for topic in topics)
    stage.say(f"{created} topics were created." if created else "The topics stood already.")


async def _begin_anew_if_void(stage: Stage, observation: Observation) -> None:
    stack, kafka = stage.stack, stage.stack.kafka
    note = FilledFrom(stage.data, _name(stack))
    has_read = await observation.has_read_before()
    if is_void(note.read(), kafka.memory_id, durable=kafka.durable, has_read=has_read):
        if isinstance(stack.postgres, GivenPostgres):
            raise OtherKafkaError(_shown(stack), kafka.name)
        await empty_database(stage.settings.database_dsn())
        await migrate(stage.settings.database_dsn())
        why = "has other topics" if kafka.durable else "keeps topics in memory only"
        stage.say(f"The database was emptied: {kafka.name} {why}, not those that it was filled from.")
    note.write(kafka.memory_id)


def _name(stack: LocalStack) -> str:
    """What the database is called in the note: the port of one of our own may change."""
    return _shown(stack) if isinstance(stack.postgres, GivenPostgres) else "our own"


def _shown(stack: LocalStack) -> str:
    """The database's URL; the password of a given one is nobody's business here."""
    if not isinstance(stack.postgres, GivenPostgres):
        return stack.postgres.url
    password = urlsplit(stack.postgres.url).password
    return stack.postgres.url.replace(f":{password}@", ":…@") if password else stack.postgres.url


async def _play(settings: Settings, sample: Sample, observation: Observation) -> Played:
    """Play the sample and wait until everything that follows from it is done."""
    messages = sample.messages()
    with albums_bar() as bar:
        task = bar.add_task("waiting for the consumers", total=sample.albums)
        first = await play_sample(settings, islice(messages, _FIRST_MESSAGES))
        while (await _backlog(observation)).events:  # noqa: ASYNC110 -- another process makes it so
            await asyncio.sleep(_POLL_SECONDS)
        bar.update(task, description="playing the sample")

        def show_albums(_: Played) -> None:
            bar.update(task, completed=len(sample.told))

        rest = await play_slowly(settings, messages, at_once=_AT_ONCE, pause=_PAUSE, progress=show_albums)
        bar.update(task, completed=sample.albums)
        await _wait_until_settled(observation, bar)
    return first.and_then(rest)


async def _wait_until_settled(observation: Observation, bar: Progress) -> None:
    """Wait until all offsets are committed, all commands done, and all corrections told."""
    task = bar.add_task("waiting until all is settled", total=None)
    while not (backlog := await _backlog(observation)).is_settled:
        bar.update(
            task,
            description=(
                f"to be settled: {backlog.events:,} messages, {backlog.commands + backlog.open_repairs:,} "
                f"repairs, {backlog.untold:,} corrections to tell"
            ),
        )
        await asyncio.sleep(_POLL_SECONDS)
    bar.remove_task(task)


async def _backlog(observation: Observation) -> Backlog:
    return await retry_until_available(observation.backlog, doing="looking how far the consumers are")


async def _print_timeline(observation: Observation, albums: list[UUID]) -> UUID | None:
    """Print the timeline of the album that shows most; which it is."""
    album = await observation.album_to_show(albums)
    if album is not None:
        console.print(timeline_tree(await observation.timeline(EntityRef(type=EntityType.ALBUM, id=album))))
    return album
