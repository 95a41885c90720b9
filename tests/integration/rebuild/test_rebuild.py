"""A rebuild compared with the live table: nothing differs at rest, and tampered rows are named."""

import asyncio
from random import Random
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harness.log_table import empty_tables
from harness.rebuilding import PARTITIONS, TAMPERED, Installation, tamper
from harness.waiting import TIMEOUT, eventually
from histories import chains, event, override
from llamalog_service.domain.errors import PositionPastEndError
from llamalog_service.kafka.reader import Span
from llamalog_service.postgres.locks import RebuildInProgressError, RebuildLock
from llamalog_service.postgres.pool import create_pool
from llamalog_service.rebuild import reading
from llamalog_service.rebuild.comparison import RebuildSelection
from llamalog_service.rebuild.errors import (
    BeginningGoneError,
    UnsourcedRowsError,
)
from llamalog_service.rebuild.ports import RebuildProgress
from llamalog_service.rebuild.rebuild import RebuildOptions
from llamalog_service.rebuild.shadow import ShadowLeftoversError, ShadowStore
from simulation.history import draw_history


@pytest.fixture
def installation(pool: asyncpg.Pool) -> Installation:
    return Installation(pool)


@pytest.fixture
async def at_rest(installation: Installation) -> Installation:
    """Thirty rows in chains, some others, all ingested."""
    installation.publish(chains(30))
    installation.publish(
        [event(101), event(102, None, "gone"), event(103, "orphan", "never"), override(104, "never")]
    )
    await installation.ingest_all()
    return installation


def row(number: int) -> str:
    return str(UUID(int=number))


async def test_at_rest_nothing_differs_and_both_sides_count_alike(at_rest: Installation) -> None:
    report = await at_rest.rebuilt()
    assert at_rest.lines == []
    assert report.differences.rows == 0
    assert report.live == report.rebuilt
    assert (report.live.rows, report.messages, report.dead_letters) == (33, 33, 0)
    assert report.live.by_origin == {
        "ROOT": 10, "RESOLVED": 20, "UNTRACKED": 1, "PENDING": 1, "ADOPTED": 1,
    }  # fmt: skip
    assert report.live.by_category == {"CREATED": 33}
    assert report.live.by_day == {"2026-02-10": 33}
    assert report.positions == {"0": 11, "1": 11, "2": 11}


async def test_a_rebuild_leaves_nothing_behind_and_can_be_done_again_with_the_same_checksum(
    at_rest: Installation,
) -> None:
    first, second = await at_rest.rebuilt(), await at_rest.rebuilt()
    assert first.rebuilt.checksum == second.rebuilt.checksum
    assert len(first.rebuilt.checksum) == 32
    assert await at_rest.pool.fetchval("SELECT to_regnamespace('llamalog_rebuild')") is None


async def test_another_row_is_another_checksum(at_rest: Installation) -> None:
    before = await at_rest.rebuilt()
    at_rest.publish([event(200, "late")])
    await at_rest.ingest_all()
    assert (await at_rest.rebuilt()).rebuilt.checksum != before.rebuilt.checksum


async def test_exactly_the_tampered_rows_are_named(at_rest: Installation) -> None:
    await tamper(at_rest.pool)
    report = await at_rest.rebuilt()
    assert at_rest.named == TAMPERED
    assert (report.differences.missing, report.differences.extra, report.differences.different) == (1, 1, 3)
    assert report.differences.by_column == {"root_job_id": 1, "metadata": 1, "origin": 1}
    lines = {line["id"]: line for line in at_rest.lines}
    assert lines[row(2)]["columns"] == ["root_job_id"]
    assert (lines[row(2)]["live"], lines[row(2)]["rebuilt"]) == (
        {"root_job_id": "wrong"},
        {"root_job_id": "root-1"},
    )
    assert lines[row(6)]["live"] == {"metadata": {"number": 6, "edited": True}}
    assert lines[row(4)]["rebuilt"]["operation"] == "track:created:test"
    assert lines[str(UUID(int=9999))]["live"]["operation"] == "forged"
    assert report.live.checksum != report.rebuilt.checksum


async def test_a_selection_of_roots_or_entities_is_compared(
    at_rest: Installation,
) -> None:
    await tamper(at_rest.pool)
    report = await at_rest.rebuilt(only=RebuildSelection(roots=("root-1",)))
    assert at_rest.named == [("different", row(2)), ("extra", row(9999))]
    assert report.rebuilt.rows == 3
    await at_rest.rebuilt(only=RebuildSelection(entities=(UUID(int=1_000_006),)))
    assert at_rest.named == [("different", row(6))]


async def test_events_not_ingested_yet_are_not_missing_and_rows_ingested_meanwhile_are_not_extra(
    installation: Installation,
) -> None:
    installation.publish(chains(60))
    await installation.ingest(0, 9)
    await installation.ingest(1, 4)
    read = installation.topic.read

    async def read_while_ingesting(starts, ends):  # type: ignore[no-untyped-def]
        async for portion in read(starts, ends):
            yield portion
        for partition in range(PARTITIONS):
            await installation.ingest(partition, 3)
        await installation.settle()

    installation.topic.read = read_while_ingesting  # type: ignore[method-assign]
    report = await installation.rebuilt()
    assert installation.lines == []
    assert (
        report.messages == 22
    )  # 13 before the rebuild began, 9 while it read; what came while it compared is later
    assert await installation.pool.fetchval("SELECT count(*) FROM llama_logs") == 31


async def test_events_ingested_during_the_reading_are_read_before_the_snapshot_begins(
    at_rest: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_READ_IN_SNAPSHOT", 3)
    read, calls = at_rest.topic.read, []

    async def read_while_ingesting(starts, ends):  # type: ignore[no-untyped-def]
        calls.append(sum(ends.values()) - sum(starts.values()))
        async for portion in read(starts, ends):
            yield portion
        if len(calls) == 1:
            at_rest.publish([event(number) for number in range(201, 206)])
            await at_rest.ingest_all()

    at_rest.topic.read = read_while_ingesting  # type: ignore[method-assign]
    assert (await at_rest.rebuilt()).differences.rows == 0
    assert calls == [33, 5, 0]


async def test_events_ingested_after_the_first_read_of_the_ends_do_not_lie_past_them(
    at_rest: Installation,
) -> None:
    look = at_rest.topic.spans

    async def look_then_ingest() -> dict[int, Span]:
        spans = await look()
        at_rest.publish([event(200 + len(at_rest.topic.partitions[0]))], 0)
        await at_rest.ingest_all()
        return spans

    at_rest.topic.spans = look_then_ingest  # type: ignore[method-assign]
    assert (await at_rest.rebuilt()).differences.rows == 0


async def test_roots_that_live_traffic_corrects_meanwhile_are_counted_separately(
    at_rest: Installation,
) -> None:
    at_rest.publish([event(301, "child", "top")], 0)
    await at_rest.ingest_all()
    at_rest.publish([event(302, "top", "above"), event(303, "above")], 0)
    await at_rest.ingest(0)  # the command to repair what is below is kept, not done
    is_waiting = asyncio.Event()

    def note(progress: RebuildProgress) -> None:
        if progress.phase.startswith("waiting for roots"):
            is_waiting.set()

    waiting = at_rest.rebuild(on_progress=note)
    rebuilding = asyncio.create_task(at_rest.run(waiting, convergence_timeout=TIMEOUT))
    await asyncio.wait_for(is_waiting.wait(), TIMEOUT)
    await at_rest.settle()
    report = await rebuilding
    assert (report.differences.rows, report.differences.corrected_meanwhile) == (0, 1)
    assert [line["correctedMeanwhile"] for line in at_rest.lines] == [True]


async def test_roots_that_live_traffic_does_not_correct_are_named(at_rest: Installation) -> None:
    at_rest.publish([event(301, "child", "top")], 0)
    await at_rest.ingest_all()
    at_rest.publish([event(302, "top")], 0)
    await at_rest.ingest(0)
    report = await at_rest.rebuilt(convergence_timeout=0.5)
    assert at_rest.named == [("different", row(301))]
    assert report.differences.by_column == {"root_job_id": 1, "origin": 1}


async def test_another_content_under_a_known_id_is_no_difference_whichever_the_live_table_kept(
    installation: Installation,
) -> None:
    installation.publish([event(1, "job", "one")], 0)
    installation.publish([event(1, "job", "other"), event(2, "below", "job")], 1)
    await installation.ingest(1)
    await installation.ingest_all()
    report = await installation.rebuilt()
    assert installation.lines == []
    assert (report.duplicates, report.contested, report.contested_kept_live) == (1, 1, 1)


async def test_an_interrupted_rebuild_leaves_the_live_table_untouched_and_is_resumed(
    at_rest: Installation,
) -> None:
    before = await at_rest.revisions()
    read = at_rest.topic.read
    starts_seen = []

    async def read_and_break(starts, ends):  # type: ignore[no-untyped-def]
        starts_seen.append(dict(starts))
        async for portion in read(starts, ends):
            yield portion
            await eventually(is_written)
            raise KeyboardInterrupt

    async def is_written() -> bool:
        return (await ShadowStore(at_rest.pool).progress()).messages > 0

    at_rest.topic.read = read_and_break  # type: ignore[method-assign]
    with pytest.raises((KeyboardInterrupt, asyncio.CancelledError)):
        await at_rest.rebuild().run(RebuildOptions())
    assert await at_rest.revisions() == before

    async def read_on(starts, ends):  # type: ignore[no-untyped-def]
        starts_seen.append(dict(starts))
        async for portion in read(starts, ends):
            yield portion

    at_rest.topic.read = read_on  # type: ignore[method-assign]
    report = await at_rest.rebuilt()
    assert (report.differences.rows, report.messages, report.overrides_read) == (0, 33, 1)
    assert starts_seen[0] == {}
    assert starts_seen[1] == {0: 7, 1: 7, 2: 7}


async def test_a_second_rebuild_at_the_same_time_is_refused_and_names_the_first(
    at_rest: Installation,
) -> None:
    async with RebuildLock(at_rest.pool).attempt():
        with pytest.raises(RebuildInProgressError, match=r"process \d+ of PostgreSQL"):
            await at_rest.rebuilt()


async def test_leftovers_of_another_rebuild_are_named_and_dropped_on_request(at_rest: Installation) -> None:
    await ShadowStore(at_rest.pool).create_or_resume(
        topic="another.topic", source="the topic", begun_by="an operator", needs_all_labels=True
    )
    with pytest.raises(ShadowLeftoversError, match=r"by an operator, of another\.topic"):
        await at_rest.rebuilt()
    assert (await at_rest.rebuilt(discard=True)).differences.rows == 0


async def test_a_foreign_schema_of_that_name_is_refused(at_rest: Installation) -> None:
    await at_rest.pool.execute("CREATE SCHEMA llamalog_rebuild; CREATE TABLE llamalog_rebuild.theirs ()")
    with pytest.raises(ShadowLeftoversError, match="did not make it"):
        await at_rest.rebuilt()
    assert await at_rest.pool.fetchval("SELECT count(*) FROM llamalog_rebuild.theirs") == 0


async def test_a_topic_without_its_beginning_is_refused(at_rest: Installation) -> None:
    at_rest.topic.firsts = {1: 3}
    with pytest.raises(BeginningGoneError, match="partition 1 begins at 3"):
        await at_rest.rebuilt()


async def test_a_topic_that_ends_before_the_live_tables_positions_is_refused(at_rest: Installation) -> None:
    del at_rest.topic.partitions[2][5:]
    with pytest.raises(PositionPastEndError, match="recorded up to offset 11, the partition ends at 5"):
        await at_rest.rebuilt()


async def test_live_rows_and_overrides_without_an_event_are_refused_before_anything_is_read(
    at_rest: Installation,
) -> None:
    await at_rest.pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, origin, legacy_sourced) "
        "SELECT gen_random_uuid(), 'old', 'CREATED', 'SUCCESS', 'UNTRACKED', false FROM generate_series(1, 2)"
    )
    await another_program_writes(at_rest.pool)
    await at_rest.pool.execute(
        "INSERT INTO root_overrides (id, job_id, adopted, reason, requested_by, overridden_at) "
        "VALUES (gen_random_uuid(), 'top', true, 'a backfill', 'me', now())"
    )
    at_rest.topic.read = None  # type: ignore[method-assign, assignment]
    with pytest.raises(UnsourcedRowsError, match="3 rows and 1 overrides of the live table have no event"):
        await at_rest.rebuilt()
    assert await ShadowStore(at_rest.pool).find() == (False, None)


async def test_a_live_row_inserted_without_an_event_during_the_reading_is_refused(
    at_rest: Installation,
) -> None:
    read = at_rest.topic.read

    async def read_while_another_program_writes(starts, ends):  # type: ignore[no-untyped-def]
        await another_program_writes(at_rest.pool)
        async for portion in read(starts, ends):
            yield portion

    at_rest.topic.read = read_while_another_program_writes  # type: ignore[method-assign]
    with pytest.raises(UnsourcedRowsError, match="1 rows and 0 overrides"):
        await at_rest.rebuilt()
    assert (await ShadowStore(at_rest.pool).progress()).messages == 33


async def another_program_writes(pool: asyncpg.Pool) -> None:
    """A row without an origin."""
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status) "
        "VALUES (gen_random_uuid(), 'op', 'CREATED', 'SUCCESS')"
    )


def test_no_history_however_disordered_differs_from_its_rebuild(database_url: str) -> None:
    async def open_pool() -> asyncpg.Pool:
        return await create_pool(database_url, min_size=0, max_size=4)

    async def story(pool: asyncpg.Pool, seed: int) -> None:
        await empty_tables(pool)
        dice = Random(seed)
        installation = Installation(pool)
        for drawn in draw_history(dice):
            installation.topic.append(drawn.value, drawn.partition)
        while installation.unread:
            await installation.ingest(dice.choice(installation.unread), dice.randint(1, 6))
            if dice.random() < 0.3:
                await installation.settle()
        await installation.settle()
        report = await installation.rebuilt()
        assert installation.lines == []
        assert report.live == report.rebuilt

    with asyncio.Runner() as runner:
        pool = runner.run(open_pool())

        @hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
        @given(seed=st.integers(0, 2**32))
        def every_history(seed: int) -> None:
            runner.run(story(pool, seed))

        try:
            every_history()
        finally:
            runner.run(pool.close())
