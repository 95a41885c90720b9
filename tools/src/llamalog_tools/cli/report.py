"""What `llamalog-dev up` prints: what happened, and where to look next."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

from rich.table import Table

from llamalog_service.cli.runtime import console
from llamalog_service.kafka.topics import topics
from llamalog_service.queries.summary import Summary
from llamalog_service.settings import Settings

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
        ("dead letters", sum(run.refusals.values()), sum(ever.refusals.values())),
        *_by_name(run.refusals, ever.refusals, "{}", {}),
    ]
    yield [
        ("late parents healed: rows corrected", run.rows.corrected, ever.rows.corrected),
        ("  by backfill commands", run.work.repairs, ever.work.repairs),
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
    pages: str,
    addresses: Mapping[str, str],
    logs: Mapping[str, Path],
    album: UUID | None,
) -> None:
    """Addresses, files and commands, unwrapped, so that they can be copied.

    Args:
        kafka: the broker's name.
        database: the URL as it may be shown.
        pages: where people begin.
        addresses: where each process tells how it is.
        logs: the log files by what writes them.
        album: one to look at.
    """
    exported = {"LLAMALOG_KAFKA": settings.kafka, "LLAMALOG_DATABASE_URL": database}
    if not settings.kafka_durable:
        exported["LLAMALOG_KAFKA_DURABLE"] = "false"
    if settings.topic_prefix != Settings.model_fields["topic_prefix"].default:
        exported["LLAMALOG_TOPIC_PREFIX"] = settings.topic_prefix
    lines = [
        "Where to look next",
        f"  pages       {pages}",
        f"  Kafka       {settings.kafka} ({kafka})",
        *(f"              {spec.name}" for spec in topics(settings.topic_prefix)),
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
