"""The list of overrides: who decreed what, and whether it still has an effect."""

from datetime import UTC, datetime

import asyncpg

from harness.writers import KeptMessages, Recomputer, Writer
from histories import NOON, event, override
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.overrides import OverrideState, read_overrides
from llamalog_service.queries.paging import parse_cursor


async def test_each_override_names_its_effect_or_what_ended_it(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(
        event(1, "child", "lost"),
        event(2, "grandchild", "child"),
        event(3, "late", at=9.0),
        override(11, "lost", at=1.0),
        override(12, "late", at=2.0),
        override(13, "gone", at=3.0),
        override(14, "gone", adopted=False, at=4.0),
        override(15, "again", at=5.0),
        override(16, "again", at=6.0),
    )
    await Recomputer(pool, kept).settle()
    found = (await read_overrides(Reader(pool))).items
    assert [one.job for one in found] == ["again", "again", "gone", "gone", "late", "lost"]
    states = [one.state for one in found]
    assert states == [
        OverrideState.IN_EFFECT,
        OverrideState.OVERRULED,
        OverrideState.IN_EFFECT,
        OverrideState.REVOKED,
        OverrideState.LAPSED,
        OverrideState.IN_EFFECT,
    ]
    assert [one.rows for one in found] == [0, None, None, None, None, 2]
    late, lost = found[4], found[5]
    assert (late.ended_at, late.ended_by) == (_at(9.0), None)
    assert (lost.requested_by, lost.reason, lost.time, lost.in_topic) == ("tests", "a test", _at(1.0), True)
    assert (found[3].ended_at, found[3].ended_by) == (_at(4.0), "tests")


async def test_the_list_goes_on_behind_a_cursor(pool: asyncpg.Pool) -> None:
    await Writer(pool, KeptMessages()).write(*[override(n, f"job-{n}", at=float(n // 2)) for n in range(5)])
    reader, read, after = Reader(pool), [], None
    while True:
        page = await read_overrides(reader, limit=2, after=parse_cursor(after))
        read += [one.job for one in page.items]
        if (after := page.next) is None:
            break
    assert read == ["job-4", "job-3", "job-2", "job-1", "job-0"]


def _at(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(NOON.timestamp() + milliseconds / 1000, UTC)
