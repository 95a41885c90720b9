"""Connections to PostgreSQL that are cut, slow, or get no answer."""

import asyncio
from random import Random

from chaos.absences import hang, reset, slow_down
from chaos.fault import AWAY, TRIES, Fault
from chaos.proxy import Cut
from chaos.scene import Scene
from harness.waiting import eventually

_DELAY = 0.02
"""Seconds that each piece takes on a slow way: a transaction of the ingest has a dozen."""
_SHORT_LIVES = 500, 60_000
"""Bytes: from one that breaks in the login to one that lasts for a batch."""


async def cut_connections(scene: Scene, dice: Random) -> None:
    for _ in range(TRIES):
        scene.wire.sever()
        await asyncio.sleep(dice.uniform(0.3, 1.0))


async def cut_commits(scene: Scene, dice: Random) -> None:
    scene.wire.cuts += dice.sample([*Cut] * TRIES, 2 * TRIES)

    async def all_are_cut() -> bool:
        return not scene.wire.cuts

    await eventually(all_are_cut, within=60)


async def reset_connections(scene: Scene, dice: Random) -> None:
    await reset(scene.wire, dice, _SHORT_LIVES, 2 * AWAY)


async def freeze_connections(scene: Scene, _: Random) -> None:
    await hang(scene.wire, AWAY)


async def slow_connections(scene: Scene, _: Random) -> None:
    await slow_down(scene, scene.wire, _DELAY)


FAULTS = (
    Fault("cut", f"every connection to PostgreSQL cut, {TRIES} times", cut_connections),
    Fault("cut-in-commit", f"connections cut in COMMIT: unheard and unanswered, {TRIES} each", cut_commits),
    Fault(
        "resets",
        f"connections to PostgreSQL reset after 500 to 60,000 bytes, for {2 * AWAY:.0f} s",
        reset_connections,
    ),
    Fault("hang", f"PostgreSQL does not answer for {AWAY:.0f} s", freeze_connections),
    Fault(
        "slow-postgres",
        f"{_DELAY * 1000:.0f} ms more on every way to and from PostgreSQL",
        slow_connections,
    ),
)
