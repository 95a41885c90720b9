"""One fault in the middle of a load, and what became of everything."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from chaos.fault import Fault
from chaos.scene import ENDED_BY_REQUEST, STOPS_WITHIN, Scene, scene
from chaos.verdict import Verdict, judge
from harness.settled import wait_until_settled
from harness.topics import end_offsets
from llamalog_tools.devstack import LocalStack

_SETTLED_WITHIN = 120.0
"""Seconds from the end of load and fault."""


class Survived(NamedTuple):
    """A fault and what was seen of it. Times in seconds.

    `recovery`: from the fault's end until all published up to then was recorded. `silence`: the longest
    time without a recorded batch while events were published. `restarts`: processes that ended by
    themselves and were started again. `exit_codes`: of the processes, stopped when all was done.
    """

    fault: Fault
    verdict: Verdict
    lasted: float
    recovery: float
    silence: float
    restarts: int
    waits: int
    put_back: int
    exit_codes: list[int]

    @property
    def wrong(self) -> list[str]:
        """Everything that is not as it should be."""
        wrong = list(self.verdict.differences)
        if not ENDED_BY_REQUEST.issuperset(self.exit_codes):
            wrong.append(f"exit codes {self.exit_codes} of processes that were stopped")
        return wrong


async def survive(
    fault: Fault, stack: LocalStack, folder: Path, *, messages: int, seconds: float, seed: int
) -> Survived:
    """Strike a fault when a third of the load was published; wait until all is at rest; judge.

    Args:
        folder: that exists, for the logs.
        messages: of the load.
        seconds: that publishing them takes.
        seed: of the load and of the fault's dice.

    Raises:
        TimeoutError: it does not come to rest.
    """
    async with scene(stack, folder, messages=messages, seconds=seconds, seed=seed) as here:
        watching = asyncio.create_task(here.supervise())
        publishing = asyncio.create_task(here.load.publish_all())
        try:
            async with asyncio.timeout(seconds + 3 * _SETTLED_WITHIN):
                await here.until_published(1 / 3)
                lasted, recovery = await _strike(fault, here, Random(seed))
                await publishing
                await wait_until_settled(here.settings, here.pool, _SETTLED_WITHIN)
                if fault.afterwards is not None:
                    await fault.afterwards(here)
                    await wait_until_settled(here.settings, here.pool, _SETTLED_WITHIN)
        finally:
            for task in (watching, publishing):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        exit_codes = [await process.stop(STOPS_WITHIN) for process in here.processes]
        verdict = await judge(here)
        return Survived(
            fault=fault,
            verdict=verdict,
            lasted=lasted,
            recovery=recovery,
            silence=here.longest_silence,
            restarts=here.restarts,
            waits=sum(len(process.logged("waiting")) for process in here.processes),
            put_back=sum(len(process.logged("batches requeued")) for process in here.processes),
            exit_codes=exit_codes,
        )


async def _strike(fault: Fault, here: Scene, dice: Random) -> tuple[float, float]:
    """How long the fault lasted, and the recovery from it took."""
    begun = time.monotonic()
    await fault.strike(here, dice)
    ended = time.monotonic()
    published = await end_offsets(here.settings.kafka, here.topics.entity_events.name)
    await here.until_recorded(published, within=_SETTLED_WITHIN)
    return ended - begun, time.monotonic() - ended
