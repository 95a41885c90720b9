"""Sessions of PostgreSQL that are cut, get no answer, or wait for others' locks."""

import asyncio
from random import Random

from chaos.fault import AWAY, TRIES, Fault
from chaos.proxy import Cut
from chaos.scene import Scene
from harness.waiting import eventually


async def cut_connections(scene: Scene, dice: Random) -> None:
    for _ in range(TRIES):
        scene.wire.sever()
        await asyncio.sleep(dice.uniform(0.3, 1.0))


async def cut_commits(scene: Scene, dice: Random) -> None:
    scene.wire.cuts += dice.sample([*Cut] * TRIES, 2 * TRIES)

    async def all_are_cut() -> bool:
        return not scene.wire.cuts

    await eventually(all_are_cut, within=60)


async def freeze_connections(scene: Scene, _: Random) -> None:
    scene.wire.freeze()
    await asyncio.sleep(AWAY)
    scene.wire.thaw()


async def lock_the_table(scene: Scene, _: Random) -> None:
    async with scene.administrator() as database, database.transaction():
        await database.execute("LOCK TABLE llama_logs IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(AWAY)


FAULTS = (
    Fault("cut", f"every connection to PostgreSQL cut, {TRIES} times", cut_connections),
    Fault("cut-in-commit", f"connections cut in COMMIT: unheard and unanswered, {TRIES} each", cut_commits),
    Fault("hang", f"PostgreSQL does not answer for {AWAY:.0f} s", freeze_connections),
    Fault("lock", f"llama_logs locked by another session for {AWAY:.0f} s", lock_the_table),
)
