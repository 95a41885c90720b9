"""Backfills from their plan to their report, over rows that no sweep has seen."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from harness.backfills import BROKEN, PLANNED, Backfills, forget_roots, while_locked
from harness.log_table import differences, stored_rows
from harness.provenance import as_stored
from harness.writers import NAMES, KeptMessages, Recomputer, Writer
from histories import NOON, chains, event, override
from llamalog_schemas.backfills import BackfillPhase, RootCounts, RunStatus
from llamalog_schemas.commands import ExpectedCounts, MissingParent
from llamalog_schemas.events import Event
from llamalog_service.backfill.publishers import CorrectionRelay
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import RecomputeStore, recompute_until_converged


async def test_every_row_gets_what_the_rule_gives_it_and_is_published(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    done = await backfills.do(batch_size=4)
    stored = await stored_rows(pool)
    assert differences(stored, log) == []
    assert {row.revision for row in stored.values()} == {2}
    kept = KeptMessages()
    await Recomputer(pool, kept).publish_corrections()
    assert kept.provenance == as_stored(stored)
    assert (done.status, done.plan, done.by_class) == (RunStatus.COMPLETED, PLANNED, PLANNED)
    assert (done.scanned, done.set, done.to_set, done.batches) == (41, 41, 41, 11)


async def test_the_report_adds_up_and_names_the_cycles(backfills: Backfills, log: list[Event]) -> None:
    report = (await backfills.do()).report
    assert report is not None
    assert (report.rows, report.plan, report.end) == (41, PLANNED, PLANNED)
    assert (report.to_set, report.set_, report.unexplained, report.untold) == (41, 41, 0, 41)
    assert [(cycle.members, cycle.rows) for cycle in report.cycles] == [(("ring-a", "ring-b"), 3)]
    assert report.live.corrected == report.live.removed == 0


async def test_a_second_backfill_changes_nothing(backfills: Backfills, log: list[Event]) -> None:
    await backfills.do()
    before = await backfills.log()
    again = await backfills.do()
    assert await backfills.log() == before
    assert (again.status, again.to_set, again.set, again.scanned) == (RunStatus.COMPLETED, 0, 0, 41)
    assert again.report is not None
    assert again.report.end == again.report.plan == PLANNED


async def test_a_dry_run_reports_the_plan_and_changes_nothing(backfills: Backfills, log: list[Event]) -> None:
    before = await backfills.log()
    done = await backfills.do(dry_run=True, missing_parent=MissingParent.ADOPT)
    assert await backfills.log() == before
    assert await backfills.pool.fetchval("SELECT count(*) FROM root_overrides") == 0
    assert done.status is RunStatus.COMPLETED
    assert done.report is not None
    assert (done.report.plan.adopted, done.report.plan.pending, done.report.adopted_jobs) == (
        3,
        0,
        ("never-seen",),
    )
    assert done.report.end is None


async def test_an_expectation_that_is_not_met_fails_the_run_and_changes_nothing(
    backfills: Backfills, log: list[Event]
) -> None:
    before = await backfills.log()
    done = await backfills.do(expected=ExpectedCounts(roots=11, children=22, cycles=0))
    assert await backfills.log() == before
    assert await backfills.pool.fetchval("SELECT count(*) FROM provenance_outbox") == 0
    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert "10 roots where 11 were expected, 3 cycles where 0" in done.error
    assert "Nothing was changed" in done.error
    assert done.report is not None
    assert [miss.name for miss in done.report.mismatches] == ["roots", "cycles"]


async def test_an_expectation_that_is_met_lets_the_run_go_on(backfills: Backfills, log: list[Event]) -> None:
    expected = ExpectedCounts(
        rows=41, roots=10, children=22, untracked=2, adopted=0, cycles=3, pending=3, declared=1, conflicts=1
    )
    assert (await backfills.do(expected=expected)).status is RunStatus.COMPLETED


async def test_missing_tops_are_adopted_by_overrides_but_for_those_that_were_revoked(
    pool: asyncpg.Pool, backfills: Backfills
) -> None:
    revoked = override(200, "revoked-top", adopted=False)
    events = [*BROKEN, event(150, "left", "revoked-top")]
    await Writer(pool, KeptMessages()).write(*events, revoked)
    await forget_roots(pool)
    done = await backfills.do(missing_parent=MissingParent.ADOPT, batch_size=7)
    assert done.report is not None
    assert (done.report.plan.adopted, done.report.plan.pending) == (3, 1)
    assert done.report.end == done.report.plan
    overrides = await pool.fetch("SELECT * FROM root_overrides WHERE adopted")
    assert [(override["job_id"], override["requested_by"]) for override in overrides] == [
        ("never-seen", "tests")
    ]
    as_events = [revoked, override(201, "never-seen")]
    assert differences(await stored_rows(pool), [*events, *as_events]) == []


async def test_columns_that_roots_do_not_concern_stay_byte_for_byte(
    backfills: Backfills, log: list[Event]
) -> None:
    others = """
        SELECT (to_jsonb(l)
                - '{root_job_id,origin,cycle_members,parent_conflict,revision,legacy_sourced}'::text[]
                - 'settled_by')::text
        FROM llama_logs l ORDER BY id
    """
    before = await backfills.pool.fetch(others)
    await backfills.do(missing_parent=MissingParent.ADOPT)
    assert await backfills.pool.fetch(others) == before


async def test_a_row_of_another_writer_that_calls_itself_a_root_makes_no_claim_and_its_values_are_kept_aside(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    await pool.execute(
        "UPDATE llama_logs SET parent_job_id = 'flat', root_job_id = 'flat' WHERE id = $1", UUID(int=1)
    )
    before = await backfills.log()
    preview = await backfills.do(dry_run=True)
    assert await backfills.log() == before
    done = await backfills.do()
    assert preview.plan == done.plan == PLANNED
    assert differences(await stored_rows(pool), log) == []
    kept = await pool.fetch("SELECT row_id, parent_job_id, root_job_id FROM legacy_values")
    assert [tuple(record) for record in kept] == [(UUID(int=1), "flat", "flat")]
    assert done.report is not None
    assert (done.report.kept_aside.parents_cleared, done.report.kept_aside.roots_overruled) == (1, 1)


async def test_locked_rows_make_the_batches_smaller_until_they_are_free_again(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    holding = while_locked(pool, UUID(int=20))

    async def let_go_in_time(batch: int) -> None:
        if batch == 0:
            await holding.__aenter__()
        if batch == 6:
            await holding.__aexit__(None, None, None)

    backfills.batches.before = let_go_in_time
    done = await backfills.do(batch_size=32)
    assert done.status is RunStatus.COMPLETED
    assert done.lock_timeouts >= 3
    sizes = backfills.batches.sizes
    assert sizes[:2] == [32, 16]
    assert min(sizes) < 8
    assert sizes[-1] > min(sizes)
    assert differences(await stored_rows(pool), log) == []


async def test_a_rate_limit_lets_batches_rest(backfills: Backfills, log: list[Event]) -> None:
    began = monotonic()
    done = await backfills.do(rate_limit=20, batch_size=1000)
    assert done.batches == 3
    for written, (rest_began, seconds) in zip((20, 40, 41), backfills.rests, strict=True):
        assert seconds <= written / 20
        assert rest_began + seconds - began >= written / 20


async def test_rows_that_postgresql_refuses_are_set_aside_and_counted(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    await pool.execute("ALTER TABLE llama_logs ADD CONSTRAINT foreign_check CHECK (root_job_id <> 'root-7')")
    refused = {event(number).id for number in (7, 8, 9)}
    done = await backfills.do(batch_size=3)
    assert (done.status, done.error) == (RunStatus.COMPLETED, None)
    assert done.report is not None
    assert (done.report.refused, done.report.unexplained) == (3, 0)
    assert (done.scanned, done.set) == (41, 38)
    assert done.report.end == replace(PLANNED, roots=PLANNED.roots - 1, children=PLANNED.children - 2)
    kept = await pool.fetch("SELECT row_id, reason FROM refused_rows")
    assert {str(row["row_id"]) for row in kept} == refused
    assert all("foreign_check" in row["reason"] for row in kept)
    assert await backfills.runner.run_next() is False


async def test_roots_that_another_program_writes_over_the_batches_are_reported_as_live_changes(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    async def meddle(_: UUID) -> None:
        await pool.execute("UPDATE llama_logs SET root_job_id = 'meddled' WHERE id = $1", UUID(int=1))

    backfills.store.at[BackfillPhase.LOOKING_AGAIN] = meddle
    done = await backfills.do()
    assert done.report is not None
    assert (done.status, done.report.live.corrected) == (RunStatus.COMPLETED, 1)
    assert done.report.end == replace(PLANNED, roots=9)


async def test_settled_roots_that_the_batches_overrule_are_looked_for_below_once_more(
    pool: asyncpg.Pool, backfills: Backfills
) -> None:
    events = chains(3)
    await Writer(pool, KeptMessages()).write(*events)
    await pool.execute("UPDATE llama_logs SET root_job_id = 'wrong'")
    child = event(50, "new-child", "grandchild-1")

    async def come(_: int) -> None:
        backfills.batches.before = None
        await Writer(pool, KeptMessages()).write(child)  # it takes the wrong root for its own

    backfills.batches.before = come
    done = await backfills.do()
    assert (done.set, done.set_by_verification) == (3, 1)
    assert differences(await stored_rows(pool), [*events, child]) == []


async def test_an_adoption_taken_back_in_the_middle_has_the_last_word(
    pool: asyncpg.Pool, backfills: Backfills
) -> None:
    """The rows not yet written are right as they stand again: no repair raises their revision."""
    waiting: list[Event] = [event(number, f"waits-{number}", "missing") for number in range(1, 11)]
    writer = Writer(pool, KeptMessages())
    await writer.write(*waiting)
    taken_back = override(
        50, "missing", adopted=False, at=(datetime.now(UTC) - NOON) / timedelta(milliseconds=1) + 60_000
    )

    async def take_back(batch: int) -> None:
        if batch == 3:
            await writer.write(taken_back)
            await RecomputeStore(pool).recompute({"missing"})

    backfills.batches.before = take_back
    done = await backfills.do(batch_size=2, missing_parent=MissingParent.ADOPT)
    assert done.status is RunStatus.COMPLETED
    assert differences(await stored_rows(pool), [*waiting, taken_back]) == []


async def test_roots_that_another_program_writes_over_rows_that_were_right_fail_the_reconciliation(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    await backfills.do()

    async def meddle(_: UUID) -> None:
        await pool.execute("UPDATE llama_logs SET root_job_id = 'meddled' WHERE id = $1", UUID(int=1))

    backfills.store.at[BackfillPhase.RECONCILING] = meddle
    done = await backfills.do()
    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert done.error.startswith("1 row is not as planned although no recompute has touched it")
    assert done.report is not None
    assert (done.report.unexplained, done.report.live.corrected) == (1, 0)


async def test_rows_that_a_repair_corrects_or_another_session_removes_meanwhile_are_reported_apart(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    late = event(300, "never-seen")

    async def live(batch: int) -> None:
        if batch == 0:
            await Writer(pool, KeptMessages()).write(late)
            await recompute_until_converged(RecomputeStore(pool), ["never-seen"])
            await pool.execute("DELETE FROM llama_logs WHERE id = $1", UUID(int=30))

    backfills.batches.before = live
    done = await backfills.do(batch_size=10)
    assert (done.status, done.to_set, done.set) == (RunStatus.COMPLETED, 41, 37)
    assert done.report is not None
    report = done.report
    assert (report.live.corrected, report.live.removed) == (3, 1)
    assert report.live.by_class == RootCounts(pending=3, children=1)
    assert report.end == replace(PLANNED, pending=0, children=21)
    left = [row for row in log if row.id != str(UUID(int=30))]
    assert differences(await stored_rows(pool), [*left, late]) == []


async def test_what_repairs_correct_is_published_before_what_backfills_correct(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    await backfills.do()
    await Writer(pool, KeptMessages()).write(event(300, "never-seen"))
    await recompute_until_converged(RecomputeStore(pool), ["never-seen"])
    outbox = ProvenanceOutbox(pool)
    prompt = await outbox.next_prompt(1000)
    assert {row.content.id.int for row in prompt.rows} == {110, 111, 112}
    await outbox.delete_page(prompt)
    assert not (await outbox.next_prompt(1000)).rows
    assert len((await outbox.next_bulk(1000)).rows) == 38


async def test_publishing_gives_way_to_a_backfill_that_is_under_way(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    kept = KeptMessages()
    corrections = CorrectionRelay(
        ProvenanceOutbox(pool), backfills.store, EventPublisher(kept, NAMES, source="/tests"), sleep=rest
    )

    async def publish(batch: int) -> None:
        if batch == 1:
            assert await corrections.publish_next()

    backfills.batches.before = publish
    await backfills.do(batch_size=10)
    assert len(kept.provenance) == 10
    during = tuple(rests)  # several, where publishing took long on a busy machine
    assert during
    assert min(during) > 0
    assert await corrections.publish_next()
    assert not await corrections.publish_next()
    assert tuple(rests) == during
    assert kept.provenance == as_stored(await stored_rows(pool))


async def test_times_are_those_of_the_run(backfills: Backfills, log: list[Event]) -> None:
    before = datetime.now(UTC)
    done = await backfills.do()
    assert done.started_at is not None
    assert done.finished_at is not None
    assert before <= done.requested_at <= done.started_at <= done.finished_at <= datetime.now(UTC)
