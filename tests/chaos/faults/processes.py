"""Processes of ours that are killed, ended, frozen, and join and leave their group."""

import asyncio
import signal
from random import Random

from chaos.fault import TRIES, Fault
from chaos.scene import STOPS_WITHIN, Scene

_STOPPED = 20.0
"""Seconds that a process stands still: longer than Kafka waits for it."""


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
)
