"""Backfills that adopt tops never logged, and the overrides of operators about the same tops."""

import asyncpg
import pytest

from harness.backfills import Backfills
from harness.log_table import differences, stored_rows
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event, override
from llamalog_schemas.backfills import BackfillPhase, RunStatus
from llamalog_schemas.commands import MissingParent
from llamalog_schemas.events import Event

WAITING: list[Event] = [event(1, "orphan", "lost"), event(2, "below", "orphan"), event(3, None, "lost")]
IN_A_YEAR = 500 * 24 * 3600 * 1000.0


async def test_a_top_that_was_adopted_before_is_not_adopted_again(
    pool: asyncpg.Pool, backfills: Backfills
) -> None:
    await Writer(pool, KeptMessages()).write(*WAITING)
    for adopted in (3, 0):
        done = await backfills.do(missing_parent=MissingParent.ADOPT)
        assert done.report is not None
        assert (done.set, done.report.adopted_jobs) == (adopted, ("lost",))
        assert await pool.fetchval("SELECT count(*) FROM root_overrides") == 1


@pytest.mark.parametrize("moment", ["once it is planned", "before the first batch"])
async def test_an_adoption_that_is_revoked_under_way_stays_revoked(
    pool: asyncpg.Pool, backfills: Backfills, moment: str
) -> None:
    kept, revoked = KeptMessages(), override(4, "lost", adopted=False, at=IN_A_YEAR)
    await Writer(pool, kept).write(*WAITING)

    async def revoke(_: object) -> None:
        await Writer(pool, kept).write(revoked)
        await Recomputer(pool, kept).settle()

    if moment == "once it is planned":
        backfills.store.after_plan = revoke
    else:
        backfills.batches.before = revoke
    done = await backfills.do(missing_parent=MissingParent.ADOPT)

    assert (done.status, done.phase) == (RunStatus.COMPLETED, BackfillPhase.DONE), done.error
    assert differences(await stored_rows(pool), [*WAITING, revoked]) == []
    assert done.report is not None
    assert (done.report.live.corrected, done.report.unexplained) == (3, 0)
