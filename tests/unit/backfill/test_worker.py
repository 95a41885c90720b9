"""The worker ends when it is cancelled, at any moment, and not by a row that is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from harness.waiting import TIMEOUT
from llamalog_service.backfill.worker import PeriodicTask, Worker
from llamalog_service.domain.errors import RowRefusedError


class _Lock:
    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[bool]:
        yield True

    def is_held(self) -> bool:
        return True


class _Queue:
    async def requeue_interrupted(self) -> None:
        pass


@pytest.mark.parametrize("iterations", range(12))
async def test_a_wake_up_with_the_cancellation_does_not_keep_the_worker_alive(iterations: int) -> None:
    """Python 3.11's `asyncio.wait_for` swallows a cancellation in the iteration that ends its future."""

    async def find_nothing() -> bool:
        return False

    tasks = [PeriodicTask("finding nothing", find_nothing, 3600.0)]
    worker = Worker(lock=_Lock(), queue=_Queue(), tasks=tasks, poll_every=3600.0)  # type: ignore[arg-type]
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(0.01)
    worker.wake()
    for _ in range(iterations):
        await asyncio.sleep(0)
    working.cancel()
    ended, _ = await asyncio.wait({working}, timeout=TIMEOUT)
    assert ended, "the worker went on after its cancellation"
    assert working.cancelled()


async def test_after_work_a_task_pauses_though_it_is_woken() -> None:
    """What is requested during the pause is done together."""
    pause = 0.05
    begun: list[float] = []
    is_repeated = asyncio.Event()

    async def find_work() -> bool:
        begun.append(asyncio.get_running_loop().time())
        if len(begun) > 1:
            is_repeated.set()
        return True

    tasks = [PeriodicTask("finding work", find_work, 3600.0, pause)]
    worker = Worker(lock=_Lock(), queue=_Queue(), tasks=tasks, poll_every=3600.0)  # type: ignore[arg-type]
    working = asyncio.create_task(worker.run())
    worker.wake()
    async with asyncio.timeout(TIMEOUT):
        await is_repeated.wait()
    working.cancel()
    await asyncio.wait({working})
    assert begun[1] - begun[0] >= pause


async def test_a_row_that_stops_one_task_leaves_the_others_going_and_is_tried_again() -> None:
    attempts, others = 0, asyncio.Event()

    async def be_refused() -> bool:
        nonlocal attempts
        attempts += 1
        raise RowRefusedError("not this one", "P0001")

    async def wait_for_two() -> bool:
        if attempts >= 2:
            others.set()
        return False

    tasks = [PeriodicTask("being refused", be_refused, 0.01), PeriodicTask("waiting", wait_for_two, 0.01)]
    worker = Worker(lock=_Lock(), queue=_Queue(), tasks=tasks, poll_every=0.01)  # type: ignore[arg-type]
    working = asyncio.create_task(worker.run())
    async with asyncio.timeout(TIMEOUT):
        await others.wait()
    working.cancel()
    await asyncio.wait({working}, timeout=TIMEOUT)
    assert working.cancelled()
