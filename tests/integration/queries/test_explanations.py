"""An explanation names the events behind a root, and agrees with the fold."""

import asyncio
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, given, settings

from harness.backfills import Backfills
from harness.log_table import empty_tables
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event, histories, override
from llamalog_schemas.events import Event
from llamalog_schemas.provenance import Origin
from llamalog_service.backfill.recomputes import RecomputeQueue, RecomputeRunner
from llamalog_service.domain.fold import fold
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.log.row_writes import CauseKind
from llamalog_service.postgres.pool import create_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries import explanations
from llamalog_service.queries.explanations import Explanation, explain_job, explain_row


async def written(pool: asyncpg.Pool, *events: Event) -> None:
    """Each event as a batch of its own, and everything settled."""
    kept = KeptMessages()
    for one in events:
        await Writer(pool, kept).write(one)
    await Recomputer(pool, kept).settle()


async def explained(pool: asyncpg.Pool, number: int) -> Explanation:
    found = await explain_row(Reader(pool), UUID(int=number))
    assert found is not None
    return found


def said(found: Explanation) -> str:
    return "\n".join([*found.conclusion, *(sentence for step in found.steps for sentence in step.sentences)])


async def test_the_claim_that_counts_and_those_that_lost_are_named_with_their_events(
    pool: asyncpg.Pool,
) -> None:
    await written(
        pool,
        event(1, "top"),
        event(2, "child", "top", at=20),
        event(3, "child", "later", at=30),
        event(4, "child", "same time", at=20),
        event(5, "child", "top", at=40),
    )
    found = await explained(pool, 3)
    assert (found.root, found.origin, found.stored_root, found.parent_conflict) == (
        "top",
        "RESOLVED",
        "top",
        True,
    )
    child, top = found.steps
    assert [(claim.event.row.int, claim.named, claim.counts) for claim in child.claims] == [
        (2, "top", True),
        (4, "same time", False),
        (3, "later", False),
        (5, "top", False),
    ]
    assert (child.claim_count, top.first and top.first.row.int, top.parent) == (4, 1, None)
    text = said(found)
    assert f"The parent of child is top, by its earliest claim: row {UUID(int=2)}, track:created:test" in text
    assert "later does not count, since it is later" in text
    assert "same time does not count, since it is of the same time, and its row id is the greater one" in text
    assert "The row itself claims the parent later, and the claim that counts names top: a conflict." in text
    assert "1 later event names the same parent." in text


async def test_an_override_is_in_effect_until_the_job_is_seen(pool: asyncpg.Pool) -> None:
    await written(pool, event(1, "child", "lost"), override(2, "lost"))
    (now,) = (await explained(pool, 1)).steps[1].overrides
    assert (now.adopted, now.requested_by, now.reason, now.in_effect) == (True, "tests", "a test", True)
    assert "an operator adopted it as a root: ADOPTED" in said(await explained(pool, 1))
    await written(pool, event(3, "lost"))
    found = await explained(pool, 1)
    assert not found.steps[1].overrides[0].in_effect
    assert "It has lapsed, since an event bears the job." in said(found)


async def test_the_nearest_declaration_decides_where_the_top_was_never_seen(pool: asyncpg.Pool) -> None:
    await written(
        pool, event(1, "below", "middle"), event(2, "middle", "lost", declared="near"), event(3, "x", "y")
    )
    found = await explained(pool, 1)
    assert (found.root, found.origin) == ("near", "DECLARED")
    assert "the nearest job that has a declaration, middle, declares the root near" in said(found)
    assert "nothing on the way declares a root: PENDING" in said(await explained(pool, 3))


async def test_a_cycle_and_a_row_without_any_job_are_explained(pool: asyncpg.Pool) -> None:
    await written(pool, event(1, "b", "a"), event(2, "a", "b"), event(3))
    assert "a job already passed, a → b → a, so that there is no top: CYCLE" in said(await explained(pool, 1))
    assert "origin is unknown for good, UNTRACKED" in said(await explained(pool, 3))


async def test_a_job_is_explained_by_its_earliest_row_and_one_that_others_name_by_what_is_known(
    pool: asyncpg.Pool,
) -> None:
    await written(pool, event(1, "child", "lost", at=5), event(2, "child", at=3))
    reader = Reader(pool)
    child, lost = await explain_job(reader, "child"), await explain_job(reader, "lost")
    assert child is not None and child.row == UUID(int=2) and child.origin is Origin.PENDING
    assert lost is not None and (lost.row, lost.history) == (None, None)
    assert "No event bears the job lost" in said(lost)
    assert await explain_job(reader, "nowhere") is None
    assert await explain_row(reader, UUID(int=99)) is None


async def test_the_history_names_the_event_that_a_recompute_was_requested_for(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    for one in (event(1, "below", "child"), event(2, "child", "top"), event(3, "other"), event(4, "top")):
        await Writer(pool, kept).write(one)
    queue = RecomputeQueue(pool)
    runs = [(UUID(int=90 + number), list(jobs)) for number, jobs in enumerate([("other",), ("top",)])]
    for run, jobs in runs:
        await pool.execute(
            "INSERT INTO backfill_runs (id, kind, jobs, reason, status) "
            "VALUES ($1, 'recompute-roots', $2, 'parent-changed', 'queued')",
            run,
            jobs,
        )
    assert await RecomputeRunner(queue, RecomputeStore(pool)).recompute_queued()
    history = (await explained(pool, 1)).history
    assert history is not None
    (change,) = history.changes
    assert (change.cause, change.run, change.job) == (CauseKind.RECOMPUTE, UUID(int=91), "top")
    assert change.event is not None and change.event.row == UUID(int=4)
    assert (change.old_origin, change.root, change.origin) == ("PENDING", "top", "RESOLVED")
    assert change.sentence == (
        f"An event decided or changed the parent of top (row {UUID(int=4)}, track:created:test)."
    )
    assert not history.is_cut
    await pool.execute("DELETE FROM root_history; DELETE FROM root_corrections")
    await pool.execute("UPDATE history_start SET kept_since = now() + interval '1 hour'")
    await pool.execute("UPDATE llama_logs SET revision = 3")
    cut = (await explained(pool, 1)).history
    assert cut is not None and cut.is_cut and cut.changes == ()
    await pool.execute("UPDATE history_start SET kept_since = now()")


async def test_the_history_names_the_operator_whose_override_changed_a_root(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(event(1, "child", "lost"))
    await Writer(pool, kept).write(override(2, "lost"))
    await pool.execute(
        "INSERT INTO backfill_runs (id, kind, jobs, reason, status) "
        "VALUES ($1, 'recompute-roots', '{lost}', 'adoption-changed', 'queued')",
        UUID(int=90),
    )
    assert await RecomputeRunner(RecomputeQueue(pool), RecomputeStore(pool)).recompute_queued()
    history = (await explained(pool, 1)).history
    assert history is not None
    (change,) = history.changes
    assert (change.origin, change.event) == ("ADOPTED", None)
    assert change.sentence == "tests adopted lost as a root: a test."


async def test_the_history_of_a_legacy_row_begins_with_the_backfill_that_gave_it_an_origin(
    pool: asyncpg.Pool,
) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, job_id) "
        "VALUES ($1, 'album:created', 'CREATED', 'SUCCESS', 'legacy')",
        UUID(int=1),
    )
    unprocessed = await explained(pool, 1)
    assert (unprocessed.origin, unprocessed.stored_origin) == ("ROOT", None)
    assert "the next sweep or backfill does." in said(unprocessed)
    run = await Backfills(pool).do()
    history = (await explained(pool, 1)).history
    assert history is not None
    (change,) = history.changes
    assert (change.revision, change.old_origin, change.root, change.origin) == (None, None, "legacy", "ROOT")
    assert change.sentence == f"The backfill {run.id}, requested by {run.requested_by}."
    assert not history.is_cut


async def test_of_a_long_chain_the_ends_are_shown_and_of_one_too_long_the_stored_root(
    pool: asyncpg.Pool, monkeypatch: object
) -> None:
    length = 60
    chain = [
        event(number, f"job-{number}", f"job-{number - 1}" if number > 1 else None)
        for number in range(1, length + 1)
    ]
    kept = KeptMessages()
    await Writer(pool, kept).write(*chain)
    found = await explained(pool, length)
    assert (found.root, found.skipped, len(found.steps), found.longer) == ("job-1", 20, 40, False)
    assert [found.steps[0].job, found.steps[-1].job] == ["job-60", "job-1"]
    original = explanations.MAX_WALK
    explanations.MAX_WALK = 50  # type: ignore[misc]
    try:
        cut = await explained(pool, length)
    finally:
        explanations.MAX_WALK = original  # type: ignore[misc]
    assert (cut.longer, cut.root, cut.origin) == (True, "job-1", "RESOLVED")
    assert "followed over 50 jobs and goes on" in said(cut)


def test_an_explanation_agrees_with_the_fold(database_url: str) -> None:
    async def open_pool() -> asyncpg.Pool:
        return await create_pool(database_url, min_size=1, max_size=2)

    async def check(pool: asyncpg.Pool, history: list[Event]) -> None:
        await empty_tables(pool)
        kept = KeptMessages()
        await Writer(pool, kept).write(*history)
        expected = fold(history)
        reader = Reader(pool)
        for row, folded in expected.items():  # the table may be wrong still: the explanation is not
            found = await explain_row(reader, row)
            assert found is not None
            assert (found.root, found.origin, found.cycle, found.parent_conflict) == (
                folded.root.root_job_id,
                folded.root.origin,
                folded.root.cycle_members or (),
                folded.root.parent_conflict,
            )
            assert found.conclusion[0].endswith(f"{found.origin}.") or found.origin is Origin.PENDING

    with asyncio.Runner() as runner:
        pool = runner.run(open_pool())

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(history=histories())
        def every_history(history: list[Event]) -> None:
            runner.run(check(pool, history))

        try:
            every_history()
        finally:
            runner.run(pool.close())
