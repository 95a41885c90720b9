"""The bench from beginning to end: fill, measure the ingest, and query while it runs at half of that."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
from pydantic import SecretStr

from bench.backlog import fill as send_backlog
from bench.backlog import make_backlog
from bench.drain import drain, is_reading, running, until
from bench.installation import Installation, new_installation
from bench.kafka import GroupWatch
from bench.servers import Servers, durability, settle_disk
from bench_queries.load import steady_load
from bench_queries.over_http import api_of
from bench_queries.questions import Question, questions
from harness.big_log import BigLog, fill
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.settings import DatabaseSettings

_START_SECONDS = 60.0
_WARM_UP = 3

_SIZE = """
    SELECT pg_table_size('llama_logs') AS table, pg_indexes_size('llama_logs') AS indexes, count(*) AS rows
    FROM llama_logs
"""
_RECORDED = "SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_positions WHERE consumer_group = $1"

Notify = Callable[[str], None]


class Plan(NamedTuple):
    """How much is measured.

    Attributes:
        rounds: how often every query is made in every way.
        backlog: albums of the day by which the ingest is measured.
    """

    log: BigLog
    rounds: int
    backlog: int


class Times(NamedTuple):
    """Seconds of each answer to the questions of a kind, by who gave it; all three made in turn."""

    module: list[float]
    bare: list[float]
    http: list[float]


class Measured(NamedTuple):
    """All that was measured.

    Attributes:
        table_bytes: a row, with what is kept beside it; `index_bytes` of all indexes, grown with the rows.
        ingest_rate: messages a second of both consumers by themselves.
        rate_meanwhile: recorded while the queries ran.
    """

    rows: int
    table_bytes: float
    index_bytes: float
    ingest_rate: float
    rate_meanwhile: float
    durability: dict[str, str]
    times: dict[str, Times]


class WrongAnswerError(Exception):
    """Module and bare SQL find different numbers of rows: they are not the same query."""


async def measure(servers: Servers, plan: Plan, logs: Path, notify: Notify) -> Measured:
    """Fill, then query under load.

    Raises:
        DrainError: the consumers did not come to an end, or ended.
        ApiError: the API did not start or did not answer.
        WrongAnswerError: the yardstick is none.
    """
    async with new_installation(servers, "queries") as installation:
        notify(f"Writing {plan.log.rows:,} rows, with all indexes in place.")
        bare = await asyncpg.connect(installation.database_url, command_timeout=3600)
        await fill(bare, plan.log)
        await bare.execute("VACUUM (ANALYZE) llama_logs")
        size = await bare.fetchrow(_SIZE)
        rate = await ingest_rate(servers, installation, plan.backlog, logs, notify)
        await bare.execute("VACUUM (ANALYZE) llama_logs")
        await settle_disk(servers.postgres)
        times, meanwhile = await _query_under_load(
            installation, bare, plan, rate / 2, logs=logs, notify=notify
        )
        await bare.close()
        return Measured(
            rows=size["rows"],
            table_bytes=size["table"] / size["rows"],
            index_bytes=size["indexes"] / size["rows"],
            ingest_rate=rate,
            rate_meanwhile=meanwhile,
            durability=await durability(servers.postgres),
            times=times,
        )


async def ingest_rate(
    servers: Servers, installation: Installation, albums: int, logs: Path, notify: Notify
) -> float:
    """Messages a second that both consumers work off by themselves, on top of all the rows."""
    played = await send_backlog(make_backlog(albums), installation)
    drained = await drain(installation, played.messages, servers.pids(), logs)
    rate = played.messages / drained.settled
    notify(f"Ingest by itself: {rate:,.0f} messages a second.")
    return rate


async def _query_under_load(
    installation: Installation,
    bare: asyncpg.Connection,
    plan: Plan,
    rate: float,
    *,
    logs: Path,
    notify: Notify,
) -> tuple[dict[str, Times], float]:
    settings = DatabaseSettings(database_url=SecretStr(installation.database_url))
    async with (
        open_pool(settings, name="llamalog bench", only_reads=True) as pool,
        consumers(installation, logs),
    ):
        queries = await questions(Reader(pool), bare, plan.log)
        seconds = 60 + plan.rounds * 3
        topic = installation.topics.entity_events.name
        with api_of(installation, logs) as client, steady_load(installation.bootstrap, topic, rate, seconds):
            notify(f"Querying {plan.rounds} rounds while {rate:,.0f} messages a second come in.")
            await asyncio.sleep(_WARM_UP)
            began, before = time.perf_counter(), await bare.fetchval(_RECORDED, installation.consumer_group)
            times: dict[str, Times] = defaultdict(lambda: Times([], [], []))
            for turn in range(plan.rounds):
                for question in queries:
                    of_kind = times[question.kind]
                    await _compare(question, of_kind, module_first=turn % 2 == 0)
                    of_kind.http.append(await asyncio.to_thread(client.seconds_of, question.path))
            recorded = await bare.fetchval(_RECORDED, installation.consumer_group) - before
            return dict(times), recorded / (time.perf_counter() - began)


async def _compare(question: Question, times: Times, *, module_first: bool) -> None:
    ways = [(question.module, times.module), (question.bare, times.bare)]
    found = []
    for query, seconds in ways if module_first else ways[::-1]:
        began = time.perf_counter()
        found.append(await query())
        seconds.append(time.perf_counter() - began)
    if not found[0] or found[0] != found[1]:
        raise WrongAnswerError(f"{question.kind}: {found} rows in two ways")


@asynccontextmanager
async def consumers(installation: Installation, logs: Path) -> AsyncIterator[None]:
    """Both consumers of an installation, as processes, from when they read on."""
    watch = await GroupWatch.connect(installation.bootstrap)
    try:
        with running("migration-consumer", installation, logs) as migration_consumer:
            await until(
                lambda: watch.has_members(installation.migration_group),
                [migration_consumer],
                _START_SECONDS,
            )
            with running("consumer", installation, logs) as consumer:
                await until(lambda: is_reading(consumer), [consumer, migration_consumer], _START_SECONDS)
                yield
    finally:
        await watch.close()
