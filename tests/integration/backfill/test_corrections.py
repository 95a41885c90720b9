"""Corrections on their way out: in order, the small before the large, and none left behind."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from harness.log_table import stored_rows
from harness.writers import NAMES, KeptMessages, Recomputer, Writer
from histories import event
from llamalog_schemas.codec import decode_provenance
from llamalog_service.backfill import publishers
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.publishers import CorrectionRelay
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.statements import sql

LARGE = 2500
CHILDREN = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, root_job_id, origin)
    SELECT gen_random_uuid(), 'x', 'CREATED', 'SUCCESS', 'child-' || n, 'large', 'large', 'RESOLVED'
    FROM generate_series(1, $1::integer) n
"""
WAITING = "SELECT count(*) FROM provenance_outbox"


def relay(pool: asyncpg.Pool, kept: KeptMessages) -> CorrectionRelay:
    return CorrectionRelay(
        ProvenanceOutbox(pool), BackfillStore(pool), EventPublisher(kept, NAMES, source="/tests")
    )


async def corrected(pool: asyncpg.Pool, kept: KeptMessages) -> None:
    """Correct two thousand rows of one job, then three of another."""
    writer = Writer(pool, kept)
    await writer.write(event(1, "large"), event(2, "small"), event(3, "child", "small"))
    await pool.execute(CHILDREN, LARGE)
    for number, job in ((11, "large"), (12, "small")):
        await Writer(pool, kept).write(event(number, f"above-{job}", at=-2))
        await Writer(pool, kept).write(event(number + 10, job, f"above-{job}", at=-1))
        for jobs in kept.take_commands():
            await Recomputer(pool, kept).recompute(jobs)
    kept.by_topic.clear()


async def test_a_small_repair_is_published_before_a_large_one_that_came_first(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    await corrected(pool, kept)
    publishing = relay(pool, kept)
    await publishing.publish_next()
    small = {UUID(int=2), UUID(int=3)}
    assert small <= kept.provenance.keys()
    assert len(kept.provenance) < 10
    while await publishing.publish_next():
        pass
    assert len(kept.provenance) >= LARGE
    assert await pool.fetchval(WAITING) == 0


async def test_a_row_removed_while_its_correction_waits_leaves_nothing_in_the_outbox(
    pool: asyncpg.Pool,
) -> None:
    kept = KeptMessages()
    await corrected(pool, kept)
    await pool.execute("DELETE FROM llama_logs WHERE job_id IN ('child', 'child-1', 'child-2', 'large')")
    publishing = relay(pool, kept)
    while await publishing.publish_next():
        pass
    assert await pool.fetchval(WAITING) == 0
    assert kept.provenance.keys() <= (await stored_rows(pool)).keys()


async def test_only_rows_that_are_gone_wait_and_are_struck_out(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO provenance_outbox (row_id, revision) SELECT gen_random_uuid(), 2 "
        "FROM generate_series(1, 2500)"
    )
    assert not await relay(pool, KeptMessages()).publish_next()
    assert await pool.fetchval(WAITING) == 0


async def test_a_correction_of_a_row_that_was_removed_and_recorded_again_is_struck_out(
    pool: asyncpg.Pool,
) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(event(1, "one"))
    await pool.execute("INSERT INTO provenance_outbox (row_id, revision) VALUES ($1, 5)", UUID(int=1))
    publishing = relay(pool, kept)
    assert await publishing.publish_next()
    assert not await publishing.publish_next()
    assert await pool.fetchval(WAITING) == 0


async def test_a_correction_that_commits_late_is_published_although_later_ones_were(
    pool: asyncpg.Pool,
) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(event(1, "one"), event(2, "two"))
    publishing = relay(pool, kept)
    for row, seconds in ((1, 1000), (2, 500)):
        await pool.execute(
            "INSERT INTO provenance_outbox (row_id, revision, noted_at) VALUES ($1, 1, $2)",
            UUID(int=row),
            datetime.fromtimestamp(1_800_000_000 + seconds, UTC),
        )
        assert await publishing.publish_next()
    assert await pool.fetchval(WAITING) == 0


async def test_a_page_that_kafka_did_not_take_comes_again(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(event(1, "one"))
    await pool.execute("INSERT INTO provenance_outbox (row_id, revision) VALUES ($1, 2)", UUID(int=1))
    outbox = ProvenanceOutbox(pool)
    first = await outbox.next_prompt(10)
    assert first.rows
    assert (await outbox.next_prompt(10)).rows == first.rows


class _Interrupted(KeptMessages):
    """Something happens once, while the second page of ten is sent."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._sent = 0
        self._meanwhile = meanwhile

    async def send_batched(self, topic: str, messages: Iterable[MessageToSend]) -> None:
        self._sent += 1
        if self._sent == 2:
            await self._meanwhile()
        await super().send_batched(topic, messages)


@pytest.fixture
async def backlog(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """A hundred corrections of a backfill, to be published in pages of ten; the rows in their order."""
    monkeypatch.setattr(publishers, "ROWS_AT_ONCE", 10)
    await Writer(pool, KeptMessages()).write(*(event(number, f"job-{number}") for number in range(1, 101)))
    await pool.execute(
        "INSERT INTO provenance_outbox (row_id, revision, bulk) SELECT id, 2, true FROM llama_logs; "
        "UPDATE llama_logs SET revision = 2"
    )
    return [UUID(int=number) for number in range(1, 101)]


async def publish_all(pool: asyncpg.Pool, kept: KeptMessages) -> None:
    publishing = relay(pool, kept)
    while True:
        with suppress(UnavailableError):
            if not await publishing.publish_next():
                break
    assert await pool.fetchval(WAITING) == 0


@pytest.mark.parametrize("bulk", [False, True])
async def test_rows_corrected_again_while_pages_are_under_way_are_published_last_as_they_are(
    pool: asyncpg.Pool, backlog: list[UUID], bulk: bool
) -> None:
    """Those of the page that is sent, of the one deleted meanwhile and of the one read ahead."""
    again = [backlog[at] for at in (5, 15, 25, 35)]

    async def correct() -> None:
        await pool.execute(
            "WITH raised AS (UPDATE llama_logs SET revision = 3 WHERE id = ANY ($1::uuid[]) RETURNING id) "
            "INSERT INTO provenance_outbox (row_id, revision, bulk) SELECT id, 3, $2 FROM raised",
            again,
            bulk,
        )

    kept = _Interrupted(correct)
    await publish_all(pool, kept)
    last = {message.key: message.value for message in kept.by_topic[NAMES.provenance.name]}
    for row in backlog:
        revision = decode_provenance(last[str(row).encode()] or b"").data.revision
        assert revision == (3 if row in again else 2)


async def test_no_correction_is_lost_where_kafka_goes_while_pages_are_under_way(
    pool: asyncpg.Pool, backlog: list[UUID]
) -> None:
    async def go() -> None:
        await asyncio.sleep(0.05)
        raise UnavailableError("by order of the test")

    kept = _Interrupted(go)
    await publish_all(pool, kept)
    assert kept.provenance.keys() == set(backlog)


async def test_rows_removed_while_pages_are_under_way_leave_nothing_in_the_outbox(
    pool: asyncpg.Pool, backlog: list[UUID]
) -> None:
    async def remove() -> None:
        await pool.execute("DELETE FROM llama_logs WHERE id >= $1", backlog[5])

    await publish_all(pool, _Interrupted(remove))


async def test_a_small_repair_is_published_next_while_pages_are_under_way(
    pool: asyncpg.Pool, backlog: list[UUID]
) -> None:
    async def repair() -> None:
        await Writer(pool, KeptMessages()).write(event(200, "small"))
        await pool.execute("INSERT INTO provenance_outbox (row_id, revision) VALUES ($1, 1)", UUID(int=200))

    kept = _Interrupted(repair)
    await publish_all(pool, kept)
    keys = [message.key for message in kept.by_topic[NAMES.provenance.name]]
    assert keys.index(str(UUID(int=200)).encode()) <= 30


async def test_a_page_is_read_by_its_index_without_a_sort(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO provenance_outbox (row_id, revision, bulk) "
        "SELECT gen_random_uuid(), 2, n % 2 = 0 FROM generate_series(1, 40000) n; ANALYZE provenance_outbox"
    )
    lowest = UUID(int=0)
    for name, values in (
        ("outbox_prompt", (datetime(1970, 1, 1, tzinfo=UTC), lowest, 0, 1000)),
        ("outbox_bulk", (lowest, 1000)),
    ):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off"
            )
            (record,) = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql(name)}", *values)
        assert steps(record[0]) <= {"Limit", "Index Scan", "Index Only Scan", "Result"}


def steps(explained: Any) -> set[str]:
    """The kinds of steps in a plan."""
    (plan,) = json.loads(explained) if isinstance(explained, str) else explained
    found, left = set(), [plan["Plan"]]
    while left:
        step = left.pop()
        found.add(step["Node Type"])
        left += step.get("Plans", [])
    return found


async def test_a_repair_of_very_many_small_lineages_lets_others_be_published_before_it(
    pool: asyncpg.Pool,
) -> None:
    await pool.execute(
        "INSERT INTO llama_logs "
        "(id, operation, category, status, job_id, parent_job_id, origin, root_job_id) "
        "SELECT gen_random_uuid(), 'x', 'CREATED', 'SUCCESS', "
        "'job-' || root || '-' || n, CASE WHEN n > 0 THEN 'job-' || root || '-0' END, 'RESOLVED', 'wrong' "
        "FROM generate_series(1, 110) root, generate_series(0, 99) n"
    )
    jobs = [f"job-{root}-0" for root in range(1, 111)]
    store = RecomputeStore(pool)
    assert (await store.recompute(jobs[:2])).rows_changed == 200
    assert (await store.recompute(jobs[2:])).rows_changed == 10_800
    lanes = "SELECT bulk, count(*) FROM provenance_outbox GROUP BY bulk ORDER BY bulk"
    assert [tuple(lane) for lane in await pool.fetch(lanes)] == [(False, 200), (True, 10_800)]


async def test_very_many_rows_without_a_job_let_others_be_published_before_them(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status) "
        "SELECT gen_random_uuid(), 'x', 'CREATED', 'SUCCESS' FROM generate_series(1, 5500) n"
    )
    assert await RecomputeStore(pool).resolve_untracked() == 5500
    lanes = "SELECT bulk, count(*) FROM provenance_outbox GROUP BY bulk ORDER BY bulk"
    assert [tuple(lane) for lane in await pool.fetch(lanes)] == [(False, 500), (True, 5000)]
