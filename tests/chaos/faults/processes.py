"""Processes of ours that are killed, ended, frozen, and join and leave their group."""

import asyncio
import signal
from random import Random
from uuid import UUID

from chaos.fault import AWAY, TRIES, Fault
from chaos.operating import found, has_ended, start_backfill, until_backfilled
from chaos.scene import STOPS_WITHIN, Scene
from harness.waiting import eventually

_STOPPED = 20.0
"""Seconds that a process stands still: longer than Kafka waits for it."""
_BACKFILL_ROWS_A_SECOND = 60
_FORGET_ROOTS = """
    UPDATE llama_logs
    SET root_job_id = NULL, origin = NULL, cycle_members = NULL, parent_conflict = false
"""


async def kill_consumers(scene: Scene, dice: Random) -> None:
    for _ in range(TRIES):
        dice.choice(scene.consumers).kill()
        await asyncio.sleep(dice.uniform(0.5, 1.5))


async def kill_the_migration_consumer(scene: Scene, dice: Random) -> None:
    for _ in range(TRIES):
        scene.migration_consumers[0].kill()
        await asyncio.sleep(dice.uniform(1.0, 2.0))


async def end_consumers(scene: Scene, dice: Random) -> None:
    for consumer in scene.consumers:
        await consumer.stop(STOPS_WITHIN)
        await asyncio.sleep(dice.uniform(0.0, 0.5))
        consumer.start()


async def stop_a_consumer(scene: Scene, _: Random) -> None:
    scene.consumers[0].signal(signal.SIGSTOP)
    await asyncio.sleep(_STOPPED)
    scene.consumers[0].signal(signal.SIGCONT)


async def rebalance_storm(scene: Scene, dice: Random) -> None:
    guests = [scene.new_consumer() for _ in range(2)]
    for _ in range(TRIES):
        await asyncio.sleep(dice.uniform(0.8, 1.6))
        guest = dice.choice(guests)
        if guest.exit_code is None:
            guest.signal(signal.SIGTERM)
        else:
            guest.start()
    for guest in guests:
        await guest.stop(STOPS_WITHIN)
        scene.consumers.remove(guest)


async def kill_every_process(scene: Scene, _: Random) -> None:
    scene.supervised = False
    for process in scene.processes:
        process.kill()
    await asyncio.sleep(2 * AWAY)
    for process in scene.processes:
        process.start()
    scene.supervised = True


async def kill_a_backfill(scene: Scene, dice: Random) -> None:
    """Another program overwrites every root; the worker is killed while a backfill restores them."""
    await scene.execute(_FORGET_ROOTS)
    run = await start_backfill(scene, batch_size=20, rate_limit=_BACKFILL_ROWS_A_SECOND)
    for _ in range(TRIES):
        before = await found(scene, run)
        await _until_more_is_scanned(scene, run, before.scanned if before else 0)
        await asyncio.sleep(dice.random())
        scene.migration_consumers[0].kill()
    await until_backfilled(scene, run)


async def _until_more_is_scanned(scene: Scene, run: UUID, before: int) -> None:
    async def is_more() -> bool:
        """the backfill goes on"""
        backfill = await found(scene, run)
        return has_ended(backfill) or (backfill is not None and backfill.scanned > before)

    await eventually(is_more, within=60)


FAULTS = (
    Fault("sigkill-consumer", f"SIGKILL of a provenance consumer, {TRIES} times", kill_consumers),
    Fault(
        "sigkill-migration-consumer",
        f"SIGKILL of the migration consumer, {TRIES} times",
        kill_the_migration_consumer,
    ),
    Fault("sigterm", "SIGTERM of each provenance consumer in turn, started again", end_consumers),
    Fault("sigstop", f"SIGSTOP of a provenance consumer for {_STOPPED:.0f} s", stop_a_consumer),
    Fault("rebalance-storm", f"consumers that join and leave, {TRIES} times in 8 s", rebalance_storm),
    Fault("all-killed", f"every process killed, started after {2 * AWAY:.0f} s", kill_every_process),
    Fault(
        "backfill-killed",
        f"every root overwritten by another program, its backfill killed {TRIES} times",
        kill_a_backfill,
    ),
)
