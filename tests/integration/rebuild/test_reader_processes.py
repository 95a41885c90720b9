"""Reading shared with other processes: each partition once, also where a process ends early."""

import asyncio
import sys
from functools import partial

import asyncpg
import pytest
from structlog.testing import capture_logs

from harness.log_table import differences, stored_rows
from harness.rebuilding import Installation
from harness.topics import publish
from harness.waiting import eventually
from histories import chains, event, override
from llamalog_schemas.events import Event
from llamalog_service.bootstrap.rebuilds import rebuild_log
from llamalog_service.postgres.locks import RebuildLock, RebuildLockLostError, lock_reading
from llamalog_service.rebuild import reading
from llamalog_service.rebuild.ports import RebuildProgress
from llamalog_service.rebuild.reading import WORTH_A_PROCESS, ReaderProcesses, split_reading
from llamalog_service.rebuild.rebuild import RebuildOptions
from llamalog_service.settings import Settings

EVENTS: list[Event] = [*chains(300), event(2000, "orphan", "never"), event(2001), override(2002, "never")]
ROWS = len(EVENTS) - 1
EARLY = ReaderProcesses(3, partial(sys.exit, 3))  # a second argument is one too many: it ends by an error
ENDED_EARLY = "a reader process ended early: this one reads the rest"


@pytest.fixture
def short_topics_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WORTH_A_PROCESS", 1)


def test_partitions_are_split_into_equal_shares_of_what_is_left() -> None:
    each = WORTH_A_PROCESS
    ends = {0: 5 * each, 1: each, 2: 2 * each, 3: 2 * each}
    assert split_reading({0: 2 * each}, ends, 2) == [{0: 5 * each, 1: each}, {2: 2 * each, 3: 2 * each}]
    assert split_reading({}, ends, 100) == [{0: 5 * each}, {2: 2 * each}, {3: 2 * each}, {1: each}]
    assert split_reading({}, ends, 1) == [ends]


def test_a_short_reading_is_not_worth_another_process() -> None:
    ends = dict.fromkeys(range(6), WORTH_A_PROCESS // 4)
    assert split_reading({}, ends, 8) == [ends]
    assert split_reading(ends, ends, 8) == [ends]
    assert split_reading({}, {}, 8) == [{}]


@pytest.mark.usefixtures("short_topics_are_shared")
async def test_an_empty_log_is_loaded_by_several_processes(settings: Settings, pool: asyncpg.Pool) -> None:
    await publish(settings, EVENTS)
    shown: list[RebuildProgress] = []
    with capture_logs() as logged:
        loaded = await rebuild_log(settings, RebuildOptions(), shown.append, processes=3)
    assert ENDED_EARLY not in [line["event"] for line in logged]
    assert (loaded.loaded, loaded.rebuilt.rows, loaded.messages) == (True, ROWS, len(EVENTS) - 1)
    assert differences(await stored_rows(pool), EVENTS) == []
    own = max(step.total for step in shown if step.phase == "reading" and step.total is not None)
    assert own == len(EVENTS) - 1
    assert (await rebuild_log(settings, RebuildOptions(), shown.append, processes=3)).differences.rows == 0


@pytest.mark.usefixtures("short_topics_are_shared")
async def test_what_a_process_leaves_that_ends_early_is_read_all_the_same(pool: asyncpg.Pool) -> None:
    installation = Installation(pool)
    installation.publish(EVENTS)
    with capture_logs() as logged:
        report = await installation.run(installation.rebuild(readers=EARLY))
    assert ENDED_EARLY in [line["event"] for line in logged]
    assert (report.rebuilt.rows, report.messages) == (ROWS, len(EVENTS) - 1)
    assert differences(await stored_rows(pool), EVENTS) == []


async def test_a_reader_process_writes_nothing_once_another_rebuild_may_read(pool: asyncpg.Pool) -> None:
    lock = RebuildLock(pool)
    async with lock.attempt() as is_held, pool.acquire() as connection:
        assert is_held
        holder = lock.session
        async with connection.transaction():
            await lock_reading(connection, holder)
        with pytest.raises(RebuildLockLostError):
            async with connection.transaction():
                await lock_reading(connection, holder + 1)
    with pytest.raises(RebuildLockLostError):
        _ = lock.session


async def test_a_rebuild_waits_for_what_a_reader_process_of_another_attempt_is_writing(
    pool: asyncpg.Pool,
) -> None:
    lock = RebuildLock(pool)
    async with lock.attempt():
        async with pool.acquire() as connection, connection.transaction():
            await lock_reading(connection, lock.session)
            waiting = asyncio.create_task(lock.wait_for_readers())

            async def waits() -> bool:
                return bool(
                    await connection.fetchval(
                        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
                    )
                )

            await eventually(waits)
            assert not waiting.done()
        await waiting
