"""The one worker: repairs, backfills, sweeps and what is told of them, side by side under one lock."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

import structlog

from llamalog_service.backfill.command_store import RunStore
from llamalog_service.postgres.locks import WorkerLock
from llamalog_service.retry import retry_until_available

_log = structlog.get_logger("llamalog.backfill")


class PeriodicTask(NamedTuple):
    """Something the worker does over and over, independently of its other tasks.

    Attributes:
        doing: what it does, for the log.
        do: does what there is to do; True: look at once whether there is more.
        every: seconds of rest where there was nothing; a wake-up ends it.
    """

    doing: str
    do: Callable[[], Awaitable[bool]]
    every: float


class Worker:
    """Attends to its tasks, one worker at a time over all migration consumers.

    No duty waits for another, but for the transactions that correct roots, which are short. Whatever was
    under way when a worker died is done again, or gone on with, by the next one.
    """

    def __init__(
        self, *, lock: WorkerLock, runs: RunStore, tasks: Sequence[PeriodicTask], poll_every: float
    ) -> None:
        self._lock = lock
        self._runs = runs
        self._duties = [(duty, asyncio.Event()) for duty in tasks]
        self._poll_every = poll_every

    def wake(self) -> None:
        """Look for work now rather than at the next poll."""
        for _, wake in self._duties:
            wake.set()

    async def run(self) -> None:
        """Work until cancelled; wait while PostgreSQL or Kafka is away, or another worker is active."""
        while True:
            async with AsyncExitStack() as held:
                if await retry_until_available(
                    lambda: self._take_over(held), doing="taking over the repairs"
                ):
                    await self._work_while_held()
            await asyncio.sleep(self._poll_every)

    async def _take_over(self, held: AsyncExitStack) -> bool:
        """Become the one worker, unless another is active, and put back what the one before had taken."""
        async with AsyncExitStack() as trying:
            is_held = await trying.enter_async_context(self._lock.attempt())
            if is_held:
                await self._runs.requeue_left()
                held.push_async_exit(trying.pop_all())
            return is_held

    async def _work_while_held(self) -> None:
        """Attend to all tasks; an error after which going on would do harm ends them all and is raised."""
        working = [asyncio.create_task(self._attend(duty, wake)) for duty, wake in self._duties]
        working.append(asyncio.create_task(self._watch()))
        try:
            ended, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in working:
                task.cancel()
            await asyncio.wait(working)
        for task in ended:
            task.result()

    async def _watch(self) -> None:
        while self._lock.is_held():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(self._poll_every)
        _log.warning("repairs interrupted", reason="the session that held the worker's lock is gone")

    async def _attend(self, duty: PeriodicTask, wake: asyncio.Event) -> None:
        while True:
            if not await retry_until_available(duty.do, doing=duty.doing, may_take_long=True):
                await _rest(wake, duty.every)


async def _rest(wake: asyncio.Event, seconds: float) -> None:
    """Wait until woken, for so many seconds at most.

    Not by `asyncio.wait_for`: up to Python 3.11 it swallows a cancellation that comes in the iteration of the
    event loop in which the wake-up does, and the worker would never end.
    """
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
    finally:
        wake.clear()
