"""The plan of every question at a million rows: none reads the whole log, none more rows than it must.

`llamalog-dev up` counts all rows of the log for its report (`summary_rows`); every other statement of the
queries is run here.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from harness.big_log import BIG_ROOT, BigLog, album_of, artist_of, fill, fill_fast, job_of
from harness.databases import new_database
from integration.postgres.root_questions import Question, questions_of_roots
from llamalog_schemas.events import EntityType
from llamalog_schemas.provenance import Origin
from llamalog_service.log.recompute import BY_INDEX
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row, sql, statement_files
from llamalog_service.queries.conflicts import (
    count_conflicts,
    cycles,
    declaration_conflicts,
    parent_conflicts,
    refused_rows,
)
from llamalog_service.queries.counts import (
    Bucket,
    read_counts,
    read_producers,
    read_unknown_origins,
    read_waiting_jobs,
)
from llamalog_service.queries.entities import EntityRef, read_entity_summary, read_names
from llamalog_service.queries.jobs import read_chain, read_children, read_job_state, read_tree
from llamalog_service.queries.lineages import MAX_ABOVE
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.overrides import read_overrides
from llamalog_service.queries.paging import MAX_ROWS_SCANNED, Cursor
from llamalog_service.queries.retractions import read_retractable_row
from llamalog_service.queries.root_jobs import RootFilter, read_root_jobs
from llamalog_service.queries.rows import read_row
from llamalog_service.queries.timeline import read_timeline
from llamalog_service.settings import DatabaseSettings
from llamalog_tools.counts import choose_album

LOG = BigLog(albums=108_000, big_root_rows=20_000, odd=10_000)
AN_ALBUM = EntityRef(type=EntityType.ALBUM, id=album_of(54_321))
AN_ARTIST = EntityRef(type=EntityType.ARTIST, id=artist_of(54_321))
VARIOUS_ARTISTS = EntityRef(type=EntityType.ARTIST, id=artist_of(50))
OF_VARIOUS_ARTISTS = LOG.albums // 50 * 9
"""Rows in the lineages of the artist of every fiftieth album."""

ABOUT_THEM = LOG.albums // 50 * 2
"""Rows about that artist."""

A_PAGE = 100
"""Rows read for a page of 50 where all that the index leads to are wanted."""

IN_JANUARY = Cursor("2025-01-15 12:00:00", UUID(int=0))
JULY, DAY = datetime(2024, 7, 1, tzinfo=UTC), timedelta(days=1)
A_DAY = 160 * 9
"""Rows of a day: an album every nine minutes."""

A_TRACE = "9c9eb1f4a1b1a2b3c4d5e6f708192a3b"
"""Of the rows of the big log that bear one."""
SEARCH = 2 * (MAX_ROWS_SCANNED + 1)
"""A page that comes out short, and then where its search ended."""


def counts_of_july(reader: Reader) -> Awaitable[Any]:
    return read_counts(reader, since=JULY, until=JULY + 31 * DAY, bucket=Bucket.DAY)


QUESTIONS: list[Question] = [
    ("the timeline of an album", lambda r: read_timeline(r, AN_ALBUM), 100),
    ("the timeline of an artist", lambda r: read_timeline(r, AN_ARTIST), 500),
    ("the timeline of various artists", lambda r: read_timeline(r, VARIOUS_ARTISTS), 3 * OF_VARIOUS_ARTISTS),
    ("the album that shows most", lambda r: choose_album(r, [AN_ALBUM.id]), 30),
    ("an album's tree", lambda r: read_tree(r, job_of(54_321)), 60),
    ("the first piece of a big tree", lambda r: read_tree(r, BIG_ROOT), LOG.big_root_rows + 400),
    ("a subtree", lambda r: read_tree(r, "import-album-100"), 300),
    ("the children of a root with thousands", lambda r: read_children(r, BIG_ROOT), 10_000),
    ("a chain", lambda r: read_chain(r, job_of(54_321, "track-enrich-3-")), 100),
    ("what is known of a job", lambda r: read_job_state(r, "never-seen-7"), 10),
    *questions_of_roots(LOG, AN_ALBUM),
    ("a row", lambda r: read_row(r, UUID(int=7)), 1),
    ("names", lambda r: read_names(r, [AN_ALBUM, AN_ARTIST, VARIOUS_ARTISTS]), 50),
    ("an album's summary", lambda r: read_entity_summary(r, AN_ALBUM), 10),
    ("the summary of various artists", lambda r: read_entity_summary(r, VARIOUS_ARTISTS), OF_VARIOUS_ARTISTS),
    ("the table of root jobs", lambda r: read_root_jobs(r, RootFilter()), 3_000),
    ("root jobs by a name", lambda r: read_root_jobs(r, RootFilter(q="Album 77777")), SEARCH + 3_000),
    ("root jobs since a day", lambda r: read_root_jobs(r, RootFilter(since=JULY, until=JULY + DAY)), 3_000),
    ("counts of a month", counts_of_july, 32 * A_DAY),
    ("unknown origins", read_unknown_origins, LOG.odd),
    ("jobs waiting", read_waiting_jobs, 20_000),
    ("conflicts, counted", count_conflicts, LOG.odd),
    ("rival parents", parent_conflicts, LOG.odd),
    ("rival declarations", declaration_conflicts, LOG.odd),
    ("cycles", cycles, LOG.odd),
    ("rows that cannot be corrected", refused_rows, LOG.odd),
    ("overrides of operators", read_overrides, LOG.odd),
    ("a row to be retracted", lambda r: read_retractable_row(r, UUID(int=7)), 3),
    ("the newest rows", lambda r: read_logs(r, LogFilter()), A_PAGE),
    ("the oldest rows", lambda r: read_logs(r, LogFilter(), newest_first=False), A_PAGE),
    ("rows of a day", lambda r: read_logs(r, LogFilter(since=JULY, until=JULY + DAY)), A_PAGE),
    ("rows of a category", lambda r: read_logs(r, LogFilter(category="CACHED")), 5_000),
    ("rows that were created", lambda r: read_logs(r, LogFilter(category="CREATED")), 5_000),
    ("rows that were enriched", lambda r: read_logs(r, LogFilter(category="ENRICHED")), 5_000),
    ("failures by their text", lambda r: read_logs(r, LogFilter(category="FAILED", error="503")), 5_000),
    ("rows by a text that none has", lambda r: read_logs(r, LogFilter(q="nowhere to be found")), SEARCH),
    ("rows of a source", lambda r: read_logs(r, LogFilter(source="DISCOGS")), 5_000),
    ("rows of a user", lambda r: read_logs(r, LogFilter(user="user-7")), SEARCH),
    ("rows of an operation", lambda r: read_logs(r, LogFilter(operation="enrichment:artist:*")), 5_000),
    ("rows of a status", lambda r: read_logs(r, LogFilter(status="NO_DATA_AVAILABLE")), SEARCH),
    ("rows of a job", lambda r: read_logs(r, LogFilter(job=job_of(54_321))), 10),
    ("rows of a root", lambda r: read_logs(r, LogFilter(root=BIG_ROOT)), LOG.big_root_rows + 100),
    ("rows about an album", lambda r: read_logs(r, LogFilter(entity_id=AN_ALBUM.id)), 20),
    (
        "rows about various artists",
        lambda r: read_logs(r, LogFilter(entity_id=VARIOUS_ARTISTS.id)),
        ABOUT_THEM,
    ),
    (
        "earlier rows about various artists",
        lambda r: read_logs(r, LogFilter(entity_id=VARIOUS_ARTISTS.id), after=IN_JANUARY),
        2 * ABOUT_THEM // 3,
    ),
    (
        "later rows about various artists",
        lambda r: read_logs(r, LogFilter(entity_id=VARIOUS_ARTISTS.id), after=IN_JANUARY, newest_first=False),
        2 * ABOUT_THEM // 3,
    ),
    ("rows of cycles", lambda r: read_logs(r, LogFilter(origin=Origin.CYCLE)), A_PAGE),
    ("rows of unknown origin", lambda r: read_logs(r, LogFilter(unknown_origin_only=True)), LOG.odd),
    ("rows of a producer of few rows", lambda r: read_logs(r, LogFilter(producer="/few")), 100),
    ("rows of a producer of many rows", lambda r: read_logs(r, LogFilter(producer="/many")), SEARCH + 20_000),
    ("rows of a trace", lambda r: read_logs(r, LogFilter(trace=A_TRACE)), 20),
    ("the producers", read_producers, LOG.rows),
    ("rows of roots", lambda r: read_logs(r, LogFilter(roots_only=True)), 1_000),
]
"""The query, how it is made, and how many rows of the log it may read: with what is removed by filters."""

ANOTHER_STORY = {
    "adoption_rows",
    "adoption_run",
    "backfill_run",
    "backfill_runs",
    "chain_depth",
    "gauge_history",
    "gauge_outbox",
    "gauge_refused",
    "gauge_runs",
    "gauge_size",
    "gauge_unresolved",
    "work_left",
    "logs_last_scanned",
    "logs_page",
}
"""Statements of runs, not of the log; the count of everything; templates, run in each of their forms;
gauges, whose plans are held in tests/integration/telemetry/test_gauges.py."""


STATEMENTS = sorted(statement_files())

BY_HASH = re.compile(r"hashtextextended\(\w+\.job_id, 0\) = ")


def settings_of(url: str) -> DatabaseSettings:
    return DatabaseSettings(database_url=SecretStr(url))


class Execution(NamedTuple):
    """A statement, and the values that it was run with."""

    statement: str
    values: tuple[object, ...]


class ListeningReader(Reader):
    """A reader that keeps the statements it ran."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.executed: list[Execution] = []

    async def row(self, name: str, *values: object) -> Row:
        self.executed.append(Execution(sql(name), values))
        return await super().row(name, *values)

    async def value(self, name: str, *values: object) -> Any:
        self.executed.append(Execution(sql(name), values))
        return await super().value(name, *values)

    async def run(self, statement: str, *values: object) -> Sequence[Row]:
        self.executed.append(Execution(statement, values))
        return await super().run(statement, *values)


@pytest.fixture(scope="module")
def million_rows(postgres_url: str, template_database: str) -> Iterator[str]:
    """A database with a million rows, its statistics up to date."""

    async def fill(url: str) -> None:
        connection = await asyncpg.connect(url)
        await fill_fast(connection, LOG)
        assert await connection.fetchval("SELECT count(*) FROM llama_logs") == LOG.rows >= 1_000_000
        await connection.close()

    with asyncio.Runner() as runner:
        database = new_database(postgres_url, template_database)
        url = runner.run(database.__aenter__())
        runner.run(fill(url))
        yield url
        runner.run(database.__aexit__(None, None, None))


@pytest.mark.parametrize(("what", "query", "most_rows"), QUESTIONS, ids=[what for what, _, _ in QUESTIONS])
async def test_a_question_is_answered_by_indexes_and_few_rows(
    million_rows: str, what: str, query: Callable[[Reader], Awaitable[Any]], most_rows: int
) -> None:
    async with open_pool(settings_of(million_rows), name="tests", only_reads=True) as pool:
        reader = ListeningReader(pool)
        await query(reader)
        assert reader.executed
        for mode in ("force_custom_plan", "force_generic_plan"):
            plans = [await explained(pool, mode, one) for one in reader.executed]
            for plan, execution in zip(plans, reader.executed, strict=True):
                scanned = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
                tables = {node["Relation Name"] for node in scanned}
                assert "llama_logs" not in tables, (what, mode, execution.statement)
            read = [rows_read(plan) for plan in plans]
            assert sum(read) <= most_rows, (what, mode, read)


async def explained(pool: asyncpg.Pool, mode: str, execution: Execution) -> dict[str, Any]:
    """The plan as it ran, with the rows that each node gave and threw away.

    A parameter of EXPLAIN itself counts as a value that is known: only EXECUTE has plans for any values.
    """
    values = ", ".join(map(literal, execution.values))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            f"SET LOCAL plan_cache_mode = {mode}; PREPARE tested AS {execution.statement}"
        )
        statement = (
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE tested{f'({values})' if values else ''}"
        )
        (found,) = json.loads(await connection.fetchval(statement))
        await connection.execute("DEALLOCATE tested")
    plan: dict[str, Any] = found["Plan"]
    return plan


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        value = "{" + ", ".join(json.dumps(str(item)) for item in value) + "}"
    return "'" + str(value).replace("'", "''") + "'"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def rows_read(plan: dict[str, Any]) -> int:
    """The rows of the log that a plan has read, also those that it dropped."""
    looked_at = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(
        round(node["Actual Loops"] * sum(node.get(kind, 0) for kind in looked_at))
        for node in nodes(plan)
        if node.get("Relation Name") == "llama_logs"
    )


async def test_the_look_ups_of_a_batch_read_only_rows_that_name_its_jobs(million_rows: str) -> None:
    albums = range(50_000, 50_500)
    jobs = [*map(job_of, albums), *(f"never-seen-of-{album}" for album in albums)]
    async with open_pool(settings_of(million_rows), name="tests") as pool:
        naming = await pool.fetchval(
            "SELECT count(*) FROM llama_logs WHERE job_id = ANY ($1) OR parent_job_id = ANY ($1)", jobs
        )
        assert naming > len(albums)
        for name, values in (("jobs_known", (jobs,)), ("jobs_of_others", (jobs, [3]))):
            for mode in ("force_custom_plan", "force_generic_plan"):
                plan = await explained(pool, mode, Execution(sql(name), values))
                assert all(node["Node Type"] != "Seq Scan" for node in nodes(plan)), (name, mode)
                assert 0 < rows_read(plan) <= 2 * naming, (name, mode)


async def test_jobs_that_wait_are_found_by_few_rows_with_any_sample_of_the_statistics(
    million_rows: str,
) -> None:
    async with open_pool(settings_of(million_rows), name="tests") as pool, pool.acquire() as connection:
        reader = ListeningReader(pool)
        await read_waiting_jobs(reader)
        try:
            for target in (1, 1, 1, 3, 10, 10, 30):
                await connection.execute(f"SET default_statistics_target = {target}")
                await connection.execute("ANALYZE llama_logs")
                for mode in ("force_custom_plan", "force_generic_plan"):
                    (plan,) = [await explained(pool, mode, one) for one in reader.executed]
                    assert rows_read(plan) <= 20_000, (target, mode)
        finally:
            await connection.execute("RESET default_statistics_target")
            await connection.execute("ANALYZE llama_logs")


IMPORT = """
    INSERT INTO llama_logs
        (id, operation, category, status, job_id, parent_job_id, root_job_id, origin, created_at)
    SELECT uuidv7(), 'import', 'CREATED', 'SUCCESS', 'import', 'release', 'release', 'RESOLVED',
           timestamp '2023-01-01' + n * interval '10 ms'
    FROM generate_series(1, {rows}) n
"""


@pytest.mark.parametrize("imported", [0, 100], ids=["no statistics", "those of an import by one job"])
async def test_a_jobs_rows_are_found_by_the_hash_of_its_name_with_any_statistics(
    database_url: str, imported: int
) -> None:
    """A table that has grown fast is planned for as if few jobs had very many rows each."""
    async with open_pool(settings_of(database_url), name="tests") as pool, pool.acquire() as connection:
        await connection.execute("ALTER TABLE llama_logs SET (autovacuum_enabled = false)")
        if imported:
            await connection.execute(IMPORT.format(rows=imported))
            await connection.execute("ANALYZE llama_logs")
        await fill(connection, BigLog(albums=20_000, big_root_rows=0, odd=0))
        for script in ("recompute_prepare", "rule_prepare"):
            await connection.execute(sql(script))
        # Readers may wait for better statistics; the ingest and its repairs may not.
        names = [name for name in STATEMENTS if not imported or name not in named_by_queries()]
        looking_by_job = [name for name in names if BY_HASH.search(sql(name))]
        assert len(looking_by_job) > 5
        for name in looking_by_job:
            plan = await plan_for_any_values(connection, name)
            looks = len(re.findall(r"Index Cond: \(+hashtextextended\(\(?(?:\w+\.)?job_id\b", plan))
            assert looks == len(BY_HASH.findall(sql(name))), (name, plan)


async def plan_for_any_values(connection: asyncpg.Connection, name: str) -> str:
    async with connection.transaction():
        if name.startswith(("plan_", "recompute_")):
            await connection.execute(BY_INDEX)
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE tested AS {sql(name)}")
        parameters = await connection.fetchval(
            "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'tested'"
        )
        values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        lines = await connection.fetch(f"EXPLAIN EXECUTE tested{values}")
        await connection.execute("DEALLOCATE tested")
    return "\n".join(line for (line,) in lines)


@pytest.mark.parametrize("analysed", [True, False], ids=["analysed", "never analysed"])
async def test_queries_of_a_job_with_very_many_rows_read_few_of_its_rows(
    database_url: str, analysed: bool
) -> None:
    rows = 20_000
    halfway = Cursor("2023-01-01 00:01:40", UUID(int=0))
    async with open_pool(settings_of(database_url), name="tests") as pool:
        await pool.execute("ALTER TABLE llama_logs SET (autovacuum_enabled = false)")
        await pool.execute(IMPORT.format(rows=rows))
        if analysed:
            await pool.execute("ANALYZE llama_logs")
        reader = ListeningReader(pool)
        await read_logs(reader, LogFilter(job="import"))
        await read_logs(reader, LogFilter(job="import"), after=halfway, newest_first=False)
        await reader.rows("job_facts", ["import"])
        await reader.rows("parents", ["import"], MAX_ABOVE)
        await reader.rows("job_root", "import")
        await read_job_state(reader, "import")
        for mode in ("force_custom_plan", "force_generic_plan"):
            for execution in reader.executed:
                read = rows_read(await explained(pool, mode, execution))
                assert read < 300, (mode, read, execution.statement)


async def test_every_statement_of_the_queries_is_among_those_executed(million_rows: str) -> None:
    """A new statement needs a query here."""
    async with open_pool(settings_of(million_rows), name="tests", only_reads=True) as pool:
        reader = ListeningReader(pool)
        for _, query, _ in QUESTIONS:
            await query(reader)
    executed = {execution.statement for execution in reader.executed}
    named = named_by_queries()
    assert {name for name in named - ANOTHER_STORY if sql(name) not in executed} == set()
    assert len(named) > 20


def named_by_queries() -> set[str]:
    sources = [
        file.read_text()
        for file in (files("llamalog_service") / "queries").iterdir()
        if file.name.endswith(".py")
    ]
    return {word for source in sources for word in re.findall(r'"(\w+)"', source) if word in STATEMENTS}
