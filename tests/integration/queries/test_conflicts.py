"""Where events contradict each other can be queried: rival parents, roots declared otherwise, cycles."""

from uuid import UUID

import asyncpg
import pytest

from harness.databases import run_sql
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event
from llamalog_schemas.events import Event
from llamalog_schemas.provenance import Origin
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import sql
from llamalog_service.queries.conflicts import (
    ConflictCounts,
    RefusedRow,
    count_conflicts,
    cycles,
    declaration_conflicts,
    parent_conflicts,
    refused_rows,
)
from llamalog_service.queries.counts import read_table_stats
from llamalog_service.queries.jobs import read_job_state
from llamalog_service.queries.paging import Cursor, parse_cursor
from llamalog_tools.counts import read_rows

ROWS = 60_000


class Log:
    """A log that is written, repaired and queried."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.kept = KeptMessages()
        self.writer = Writer(pool, self.kept)
        self.recomputer = Recomputer(pool, self.kept)
        self.reader = Reader(pool)

    async def settle(self, *events: Event) -> None:
        for one in events:
            await self.writer.write(one)
        await self.recomputer.settle()


@pytest.fixture
def log(pool: asyncpg.Pool) -> Log:
    return Log(pool)


async def test_the_earliest_claim_decides_and_the_others_are_listed_also_if_it_comes_last(log: Log) -> None:
    await log.settle(event(5, "job", "late"), event(6, "job", "later"), event(7, "job", "late"))
    (one,) = (await parent_conflicts(log.reader, limit=10)).items
    assert (one.row, one.job, one.stated, one.counts) == (UUID(int=6), "job", "later", "late")

    await log.settle(event(1, "job", "first"))
    found = (await parent_conflicts(log.reader, limit=10)).items
    assert [(conflict.stated, conflict.counts) for conflict in found] == [
        ("late", "first"),
        ("later", "first"),
        ("late", "first"),
    ]
    assert await count_conflicts(log.reader) == ConflictCounts(
        parents=3, declarations=0, rows_on_cycles=0, cycles=0, refused=0
    )
    assert (await read_rows(log.reader)).parent_conflicts == 3


async def test_a_declared_root_disagrees_once_another_one_is_found(log: Log) -> None:
    await log.settle(event(1, "child", "parent", declared="boast"))
    assert (await declaration_conflicts(log.reader, limit=10)).items == ()
    await log.settle(event(2, "parent"), event(3, "other", "parent", declared="parent"))
    (one,) = (await declaration_conflicts(log.reader, limit=10)).items
    assert (one.job, one.stated, one.counts, one.root_job) == ("child", "boast", "parent", "parent")
    assert one.origin is Origin.RESOLVED
    assert await count_conflicts(log.reader) == ConflictCounts(
        parents=0, declarations=1, rows_on_cycles=0, cycles=0, refused=0
    )
    assert (await read_rows(log.reader)).declaration_conflicts == 1


async def test_rows_that_cannot_be_corrected_are_listed_with_the_reason_and_counted(
    log: Log, pool: asyncpg.Pool
) -> None:
    await log.settle(event(1, "top"), *(event(number, f"child-{number}", "top") for number in (2, 3, 4)))
    await pool.execute("ALTER TABLE llama_logs ADD CONSTRAINT owners CHECK (parent_job_id IS NULL) NOT VALID")
    await pool.execute("DELETE FROM llama_logs WHERE job_id = 'top'")
    await log.recomputer.recompute(["top"])
    await pool.execute(
        "INSERT INTO refused_rows (row_id, write, sqlstate, reason, first_at) "
        "SELECT row_id, 'zeal', 'P0001', 'another write of a row', first_at FROM refused_rows "
        "UNION ALL SELECT gen_random_uuid(), 'root', 'P0001', 'a row that is gone', now()"
    )
    found: list[RefusedRow] = []
    after: str | None = ""
    while after is not None:
        page = await refused_rows(log.reader, limit=1, after=parse_cursor(after or None))
        found, after = [*found, *page.items], page.next
    assert (await refused_rows(log.reader, limit=10)).items == tuple(found)
    assert [row.row.int for row in found] == [2, 3, 4]
    assert {(row.job, row.root_job, row.write, row.sqlstate) for row in found} == {
        (f"child-{number}", "top", "root", "23514") for number in (2, 3, 4)
    }
    assert all("owners" in row.reason for row in found)
    assert (await count_conflicts(log.reader)).refused == 3
    assert (await read_table_stats(log.reader)).refused == 3


async def test_cycles_are_listed_with_their_members_and_the_rows_that_hang_on_them(log: Log) -> None:
    await log.settle(event(1, "b", "c"), event(2, "a", "b"), event(3, "below", "a"), event(9, "y", "x"))
    assert (await cycles(log.reader, limit=10)).items == ()
    await log.settle(event(4, "c", "a"), event(8, "x", "y"))
    ring, pair = (await cycles(log.reader, limit=10)).items
    assert (ring.members, ring.rows) == (("a", "b", "c"), 4)
    assert (pair.members, pair.rows) == (("x", "y"), 2)
    assert await count_conflicts(log.reader) == ConflictCounts(
        parents=0, declarations=0, rows_on_cycles=6, cycles=2, refused=0
    )

    await log.settle(event(0, "c", "free", at=0))
    assert [cycle.members for cycle in (await cycles(log.reader, limit=10)).items] == [("x", "y")]


async def test_a_list_goes_on_behind_its_last_entry(log: Log) -> None:
    rivals = [event(10 + number, "job", f"rival-{number}", at=number // 2) for number in range(7)]
    await log.settle(event(1, "job", "first", at=-1), *rivals)
    whole = await parent_conflicts(log.reader, limit=10)
    pages = [await parent_conflicts(log.reader, limit=3)]
    while (cursor := pages[-1].next) is not None:
        pages.append(await parent_conflicts(log.reader, limit=3, after=Cursor.parse(cursor)))
    assert [len(page.items) for page in pages] == [3, 3, 1]
    assert tuple(conflict for page in pages for conflict in page.items) == whole.items

    await log.settle(*[event(50 + n, f"c{n % 6}", f"c{(n + 3) % 6}") for n in range(6)])
    first, *others = (await cycles(log.reader, limit=10)).items
    assert first.members == ("c0", "c3")
    assert list((await cycles(log.reader, limit=10, after="c0")).items) == others


async def test_what_the_log_knows_of_a_job(log: Log) -> None:
    await log.settle(event(1, "child", "parent"))
    unseen = await read_job_state(log.reader, "parent")
    assert (unseen.seen_since, unseen.is_named, unseen.override) == (None, True, None)
    child = await read_job_state(log.reader, "child")
    assert (child.seen_since is not None, child.is_named) == (True, False)


async def test_conflicts_are_found_without_reading_the_whole_table(database_url: str) -> None:
    fill = f"""
        INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, root_job_id,
                                declared_root_job_id, origin, parent_conflict, cycle_members)
        SELECT gen_random_uuid(), 'test', 'CREATED', 'SUCCESS', 'job-' || n, 'job-' || n / 10 * 10,
               CASE WHEN n % 1000 <> 2 THEN 'job-' || n / 10 * 10 END,
               CASE WHEN n % 1000 = 1 THEN 'another' WHEN n % 7 = 0 THEN 'job-' || n / 10 * 10 END,
               CASE WHEN n % 1000 = 2 THEN 'CYCLE' ELSE 'RESOLVED' END::"LlamaLogOrigin",
               n % 1000 = 3, CASE WHEN n % 1000 = 2 THEN ARRAY['job-' || n] END
        FROM generate_series(1, {ROWS}) n
    """
    await run_sql(database_url, fill, "ANALYZE llama_logs")
    behind = "'2000-01-01'::timestamp", f"'{UUID(int=0)}'::uuid", "50"
    plans = {
        name: _filled_in(name, *behind) for name in ("conflicts_of_parents", "conflicts_of_declarations")
    } | {"cycles": _filled_in("cycles", "''::text", "50", "1000"), "conflict_counts": sql("conflict_counts")}
    for name, statement in plans.items():
        explained = await run_sql(database_url, "SET enable_seqscan = off", f"EXPLAIN {statement}")
        plan = [row[0] for row in explained]
        assert [line for line in plan if "llama_logs_conflicts_idx" in line], (name, plan)
        assert not [line for line in plan if "Seq Scan on llama_logs" in line], (name, plan)


def _filled_in(name: str, *values: str) -> str:
    statement = sql(name)
    for number, value in enumerate(values, 1):
        for kind in ("::timestamp", "::uuid", "::text", ""):
            statement = statement.replace(f"${number}{kind}", value)
    return statement
