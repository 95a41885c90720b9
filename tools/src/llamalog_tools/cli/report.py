"""The state of the local installation, read and printed by `llamalog-dev up`."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rich.table import Table

from llamalog_service.cli.runtime import console
from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.dead_letters import (
    Coordinates,
    DeadLetterPosition,
    DeadLetterReader,
)
from llamalog_service.kafka.reader import read_ends, read_lag
from llamalog_service.kafka.topics import topics_of
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.settings import Settings
from llamalog_tools.counts import Summary, Work, read_rows, read_work

_ORIGINS = {
    "ROOT": "the job is the root itself",
    "RESOLVED": "found by following parents",
    "ADOPTED": "never seen, adopted by an operator",
    "DECLARED": "never seen, declared by the producer",
    "PENDING": "unknown: the topmost job was never seen",
    "CYCLE": "unknown: the parents form a cycle",
    "UNTRACKED": "unknown: no job and no parent named",
}

Line = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work that is left before the installation is idle.

    Attributes:
        events: entity events in their topic whose offsets are not committed yet.
        commands: commands in their topic that are not kept as runs yet.
        open_runs: runs that are not completed.
        unpublished: corrections that are not published yet.
    """

    events: int
    commands: int
    open_runs: int
    unpublished: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return not (self.events or self.commands or self.open_runs or self.unpublished)


class Observation:
    """Reads of an installation; each raises UnavailableError where PostgreSQL or Kafka is away."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self.reader = reader
        self._settings = settings
        self._topics = topics_of(settings)

    async def backlog(self) -> Backlog:
        """The work that is left, read in the order in which it flows, so that none is missed in between."""
        settings = self._settings
        events = await read_lag(settings, settings.consumer_group, self._topics.entity_events.name)
        commands = await read_lag(settings, settings.migration_group, self._topics.backfill_commands.name)
        work = await self._work()
        return Backlog(events, commands, work.open_runs, work.unpublished)

    async def summary(self) -> Summary:
        """The counts of this moment; reads all of the log and of the dead letters."""
        async with open_admin(self._settings) as admin:
            published = await read_ends(self._settings, admin, self._topics.provenance.name)
        rows = await read_rows(self.reader)
        return Summary(await self._work(), rows, await self._refused(), sum(published.values()))

    async def has_read_before(self) -> bool:
        """Whether the database has recorded offsets of the entity events."""
        return (await self._work()).messages_read > 0

    async def _work(self) -> Work:
        return await read_work(
            self.reader, group=self._settings.consumer_group, topic=self._topics.entity_events.name
        )

    async def _refused(self) -> Mapping[str, int]:
        """Refused messages by reason; a message that was refused twice counts once."""
        reader = DeadLetterReader(self._settings)
        reasons: dict[Coordinates | DeadLetterPosition, str] = {}
        async for batch in reader.read(await reader.spans()):
            reasons.update((one.came_from or one.position, one.reason) for one in batch)
        return Counter(reasons.values())


@asynccontextmanager
async def open_observation(settings: Settings) -> AsyncIterator[Observation]:
    """An observation over a pool of its own."""
    async with open_pool(settings, name="llamalog-dev", only_reads=True) as pool:
        yield Observation(settings, Reader(pool))


def summary_table(this_run: Summary, in_all: Summary) -> Table:
    """The counts of a start beside those of all starts on the same data."""
    table = Table(title="What happened", title_justify="left", title_style="bold")
    table.add_column()
    table.add_column("this run", justify="right")
    table.add_column("in all", justify="right")
    for section in _sections(this_run, in_all):
        for name, now, ever in section:
            table.add_row(name, f"{now:,}", f"{ever:,}")
        table.add_section()
    return table


def _sections(run: Summary, ever: Summary) -> Iterator[list[Line]]:
    yield [("messages in", run.work.messages_read, ever.work.messages_read)]
    yield [
        ("rows in the log", run.rows.total, ever.rows.total),
        *_by_name(run.rows.by_origin, ever.rows.by_origin, "root: {}", _ORIGINS),
    ]
    yield [
        ("rows that claim another parent", run.rows.parent_conflicts, ever.rows.parent_conflicts),
        ("rows that declare another root", run.rows.declaration_conflicts, ever.rows.declaration_conflicts),
    ]
    yield [("duplicates, not written again", run.duplicates, ever.duplicates)]
    yield [
        ("dead letters", sum(run.dead_letters.values()), sum(ever.dead_letters.values())),
        *_by_name(run.dead_letters, ever.dead_letters, "{}", {}),
    ]
    yield [
        ("rows corrected after a late parent", run.rows.corrected, ever.rows.corrected),
        ("  by backfill commands", run.work.runs, ever.work.runs),
    ]
    yield [("provenance records out", run.provenance_records, ever.provenance_records)]


def _by_name(
    run: Mapping[str, int], ever: Mapping[str, int], form: str, words: Mapping[str, str]
) -> Iterator[Line]:
    known = [name for name in words if name in ever]
    for name in known + sorted(ever.keys() - words.keys()):
        meaning = f" ({words[name]})" if name in words else ""
        yield f"  {form.format(name)}{meaning}", run.get(name, 0), ever[name]


def print_where_to_look(
    settings: Settings,
    *,
    kafka: str,
    database: str,
    password_file: Path | None,
    pages: str,
    addresses: Mapping[str, str],
    logs: Mapping[str, Path],
    album: UUID | None,
) -> None:
    """Addresses, files and commands, unwrapped, so that they can be copied.

    Args:
        kafka: the broker's name.
        database: the URL without its password.
        password_file: the file with that; None: the reader has given it.
        pages: the URL of the pages.
        addresses: the URLs of health and metrics by process.
        logs: the log files by process.
        album: an album for the suggested command.
    """
    exported = {"LLAMALOG_KAFKA": settings.kafka, "LLAMALOG_DATABASE_URL": database}
    if password_file is not None:
        exported["LLAMALOG_DATABASE_PASSWORD_FILE"] = str(password_file.absolute())
    if not settings.kafka_durable:
        exported["LLAMALOG_KAFKA_DURABLE"] = "false"
    if settings.topic_prefix != Settings.model_fields["topic_prefix"].default:
        exported["LLAMALOG_TOPIC_PREFIX"] = settings.topic_prefix
    lines = [
        "Where to look next",
        f"  pages       {pages}",
        f"  Kafka       {settings.kafka} ({kafka})",
        *(f"              {spec.name}" for spec in topics_of(settings)),
        f"  PostgreSQL  {database}",
        "              the log is the table llama_logs",
        *(
            f"  health      {address}/readyz, {address}/metrics ({name})"
            for name, address in addresses.items()
        ),
        *(f"  log         {file} ({name})" for name, file in logs.items()),
        "",
        "In another terminal",
        *(f"  export {name}='{value}'" for name, value in exported.items()),
        "  .venv/bin/llamalog-dev simulate --albums 200 --late 10% --seed 8",
        "  .venv/bin/llamalog topics check",
        *([f"  .venv/bin/llamalog timeline ALBUM {album}"] if album is not None else []),
    ]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
