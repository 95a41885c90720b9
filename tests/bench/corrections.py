"""The speed of publishing corrections, and its cost in CPU: `make bench-corrections`.

A job with so many rows gets a new parent, so that one transaction corrects all of them. The migration
consumer, a process of its own and at rest until then, publishes them to Apache Kafka. Meanwhile small
recomputes are committed, one after the other, and each is timed until it is published. In the end the topic
is read and compared with the table.
"""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import structlog
import typer
from rich.console import Console

from bench.costs import CpuSeconds, cpu_seconds, cpu_spent, peak_memory
from bench.drain import DrainError, running, until
from bench.installation import Installation, new_installation
from bench.kafka import GroupWatch, read_topic
from bench.servers import Servers, durability, own_servers, settle_disk
from bench.verdict import conclude, give_up, keep
from harness.waiting import eventually
from harness.writers import KeptMessages, Writer
from llamalog_schemas.events import EntityCreated, EntityData, EntityEvent, EntityType, Status
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.pool import create_pool
from llamalog_tools.devstack.process import OwnedProcess

A_SECOND_BAR = 10_000.0
SMALL_SECONDS_BAR = 2.0

_SMALL_ROWS = 3
_SMALL_EVERY = 0.5
_TIMEOUT = 3600.0
_SHOWN = 20
_SESSIONS = "PostgreSQL for it"
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'llamalog %'"
_CORRECTED = "SELECT id, revision, root_job_id FROM llama_logs WHERE revision > 1"

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False, style="dim")

_FILL = """
    INSERT INTO llama_logs (
        id, entity_type, entity_id, album_id, track_id, operation, category, sources, status, fields_enriched,
        data_quality_after, metadata, job_id, parent_job_id, root_job_id, origin, duration_ms, api_call_count
    )
    SELECT gen_random_uuid(), 'TRACK', md5('e' || n)::uuid, md5('a' || n / 12)::uuid, md5('e' || n)::uuid,
           'track:created:enrichment', 'CREATED', '{MUSICBRAINZ}', 'SUCCESS', '{title,trackNumber}', 'HIGH',
           jsonb_build_object('title', 'Song ' || n, 'trackNumber', n % 20, 'discNumber', 1),
           'enrich-' || md5('j' || n / 12)::uuid, 'large', 'large', 'RESOLVED', 120, 2
    FROM generate_series(1, $1::integer) n
"""


class Published(NamedTuple):
    """A backlog published.

    Attributes:
        seconds: from the commit of the corrections until none waited.
        cpu: seconds, by process.
        memory: bytes, the most that the migration consumer had.
        small: seconds from the commit of each small recompute until all of it was published.
        wrong: a line for each kind of difference between topic and table.
    """

    corrections: int
    seconds: float
    cpu: CpuSeconds
    memory: int
    small: list[float]
    wrong: list[str]

    @property
    def a_second(self) -> float:
        return self.corrections / self.seconds

    def missed(self) -> Iterator[str]:
        """A sentence for every bar that was missed."""
        if self.a_second < A_SECOND_BAR:
            yield f"{self.a_second:,.0f} corrections a second; {A_SECOND_BAR:,.0f} are required."
        if self.small and max(self.small) > SMALL_SECONDS_BAR:
            yield f"A small recompute waited {max(self.small):.1f} s; {SMALL_SECONDS_BAR} s are allowed."

    def microseconds(self) -> dict[str, float]:
        """CPU time of a correction, by process."""
        return {name: seconds * 1e6 / self.corrections for name, seconds in self.cpu.items()}


async def measure(servers: Servers, *, rows: int, small: bool, samples: Path | None, logs: Path) -> Published:
    """Have one backlog published.

    Args:
        small: whether there are small recomputes beside it.
        samples: the file for samples of the migration consumer, as flame graphs are made from.

    Raises:
        DrainError: the migration consumer ended, or did not come to an end.
    """
    async with (
        new_installation(servers, "corrections") as installation,
        create_pool(installation.database_url, max_size=4, command_timeout=_TIMEOUT) as pool,
    ):
        await _record(pool, _event("large"))
        await pool.execute(_FILL, rows)
        await pool.execute("VACUUM (ANALYZE) llama_logs")
        with running("migration-consumer", installation, logs) as consumer:
            await _until_it_waits(installation, consumer)
            await settle_disk(servers.postgres)
            corrections = await _correct(pool, "large")
            pids = {"migration-consumer": consumer.pid, **servers.pids()}
            before, sessions, began = cpu_seconds(pids), await _session_seconds(pool), time.time()
            with _sampled(consumer.pid, samples) if samples else nullcontext():
                beside = asyncio.create_task(_small_recomputes(pool)) if small else None
                ended = await until(lambda: _none_waits(pool), [consumer], 60 + rows / 300, every=0.1)
            spent = cpu_spent(before, cpu_seconds(pids))
            spent[_SESSIONS] = await _session_seconds(pool) - sessions
            latencies = await beside if beside else []
            memory = peak_memory(consumer.pid)
            wrong = await _differences(installation, pool)
    return Published(corrections, ended - began, spent, memory, latencies, wrong)


async def _until_it_waits(installation: Installation, consumer: OwnedProcess) -> None:
    watch = await GroupWatch.connect(installation.bootstrap)
    try:
        await until(lambda: watch.has_members(installation.migration_group), [consumer], 60)
    finally:
        await watch.close()


async def _session_seconds(pool: asyncpg.Pool) -> float:
    """CPU time so far of the sessions of the migration consumer, which it keeps while there is work."""
    sessions = {str(record["pid"]): record["pid"] for record in await pool.fetch(_BACKENDS)}
    return sum(cpu_seconds(sessions).values())


async def _none_waits(pool: asyncpg.Pool) -> bool:
    return not await pool.fetchval("SELECT EXISTS (SELECT FROM provenance_outbox)")


async def _small_recomputes(pool: asyncpg.Pool) -> list[float]:
    """Correct few rows at a time while the backlog lasts; the seconds until each recompute was published."""
    seconds: list[float] = []
    while await pool.fetchval("SELECT EXISTS (SELECT FROM provenance_outbox WHERE bulk)"):
        job = f"small-{uuid4()}"
        await _record(pool, *(_event(job) for _ in range(_SMALL_ROWS)))
        await _correct(pool, job)
        began = time.perf_counter()

        async def is_published() -> bool:
            return not await pool.fetchval("SELECT EXISTS (SELECT FROM provenance_outbox WHERE NOT bulk)")

        await eventually(is_published, _TIMEOUT)
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(_SMALL_EVERY)
    return seconds


async def _correct(pool: asyncpg.Pool, job: str) -> int:
    """Give a job a parent and correct its rows, which wait to be published then; how many."""
    await _record(pool, _event(f"above-{job}", age=2), _event(job, f"above-{job}", age=1))
    return (await RecomputeStore(pool).recompute({job})).rows_changed


async def _record(pool: asyncpg.Pool, *events: EntityEvent) -> None:
    await Writer(pool, KeptMessages()).write(*events)


def _event(job: str, parent: str | None = None, *, age: int = 0) -> EntityEvent:
    return EntityCreated(
        id=str(uuid4()),
        source="/bench",
        time=datetime.now(UTC) - timedelta(minutes=age),
        specversion="1.0",
        data=EntityData(
            entity_type=EntityType.ALBUM,
            entity_id=uuid4(),
            operation="album:add",
            status=Status.SUCCESS,
            job_id=job,
            parent_job_id=parent,
        ),
    )


async def _differences(installation: Installation, pool: asyncpg.Pool) -> list[str]:
    """Compare the highest published revision of each row with the table's corrected rows."""
    published: dict[UUID, tuple[int, str | None]] = {}
    for record in await read_topic(installation.bootstrap, installation.topics.provenance):
        message = json.loads(record.value)
        row, _, revision = message["id"].partition("/")
        found = int(revision), message["data"].get("rootJobId")
        published[UUID(row)] = max(published.get(UUID(row), found), found, key=itemgetter(0))
    rows = {row["id"]: (row["revision"], row["root_job_id"]) for row in await pool.fetch(_CORRECTED)}
    wrong = [
        f"{row}: {published.get(row)}, not {rows[row]}" for row in rows if published.get(row) != rows[row]
    ]
    wrong += [f"{row}: was not corrected" for row in published.keys() - rows.keys()]
    return wrong[:_SHOWN]


@contextmanager
def _sampled(pid: int, samples: Path) -> Iterator[None]:
    words = ["record", "--pid", str(pid), "--rate", "250", "--format", "raw", "--output", str(samples)]
    profiler = subprocess.Popen(
        [str(Path(sys.executable).with_name("py-spy")), *words], stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        profiler.send_signal(signal.SIGINT)
        profiler.wait()


def main(
    rows: Annotated[int, typer.Option(min=100, help="Rows of the one job that gets a new parent.")] = 300_000,
    small: Annotated[bool, typer.Option(help="With small recomputes beside it, each timed.")] = True,
    profile: Annotated[
        Path | None, typer.Option(help="Sample the migration consumer into this file; it is slower then.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the servers' data: on a real disk, made anew, removed in the end.")
    ] = Path(".llamalog/bench-corrections"),
) -> None:
    """Measure how fast the migration consumer publishes the corrections of one large recompute.

    Exit code 1: a bar was missed; 2: the bench could not run; 3: the topic is not as the table.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder = data_dir.absolute()
    try:
        with own_servers(folder, progress.print) as servers:
            published = asyncio.run(measure(servers, rows=rows, small=small, samples=profile, logs=folder))
            durable = asyncio.run(durability(servers.postgres))
    except (LlamalogError, DrainError) as error:
        give_up(progress, "bench-corrections", error)
    _show(published)
    figures = published._asdict() | {
        "a_second": published.a_second,
        "microseconds": published.microseconds(),
        "durability": durable,
        "missed": list(published.missed()),
    }
    keep(json.dumps(figures, indent=2), json_file)
    conclude(
        console,
        wrong=published.wrong,
        missed=list(published.missed()),
        met="The topic has every corrected row as the table has it; the bars are met.",
    )


def _show(published: Published) -> None:
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    console.print(
        f"corrections published            {published.corrections:10,} in {published.seconds:.1f} s"
    )
    console.print(f"a second (bar: {A_SECOND_BAR:,.0f})          {published.a_second:10,.0f}")
    for name, cost in published.microseconds().items():
        console.print(f"CPU µs of each: {name:16} {cost:10.1f}")
    if published.small:
        slowest = max(published.small)
        console.print(
            f"{len(published.small)} small recomputes beside it, seconds: "
            f"median {median(published.small):.2f}, slowest {slowest:.2f} (bar: {SMALL_SECONDS_BAR})"
        )
    console.print(f"peak memory, migration consumer  {published.memory / 1e6:10.0f} MB; load {loads}")


if __name__ == "__main__":
    typer.run(main)
