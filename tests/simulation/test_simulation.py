"""Any order, any duplication, any crash: the log is the fold. A share of `make simulate`."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from simulation.database import Server, SimulatedPool
from simulation.databases import migrated_database
from simulation.loop import SimulatedLoop
from simulation.report import replay_command, story
from simulation.scenario import TESTED_SEEDS, draw_scenario
from simulation.shrink import shrink
from simulation.stage import Stage
from simulation.world import Process, World


@pytest.mark.parametrize("first", range(0, len(TESTED_SEEDS), 10))
def test_every_seed_ends_as_the_fold_says(stage: Stage, first: int) -> None:
    for seed in TESTED_SEEDS[first : first + 10]:
        _play_or_tell(stage, seed)


def test_connections_break_while_their_users_give_them_back(stage: Stage) -> None:
    assert stage.perform(_break_while_given_back) == 0


async def _break_while_given_back(server: Server) -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    world = World(loop, Random(0), [], None, server.blockers)
    pool = SimulatedPool(world, server, Process("process"))
    both_hold, broken = asyncio.Barrier(3), asyncio.Event()

    async def use() -> None:
        async with pool.acquire() as connection:
            await connection.transaction().start()
            await connection.execute("SELECT 1")
            await both_hold.wait()
            await broken.wait()

    loop.steering = world
    try:
        users = [loop.create_task(use()) for _ in range(2)]
        await both_hold.wait()
        broken.set()
        await pool.break_all()
        await asyncio.gather(*users)
    finally:
        loop.steering = None
    return pool.lent


def test_a_seed_is_the_same_run_in_every_process(
    stage: Stage, postgres_url: str, template_database: str
) -> None:
    """For any hashes of strings and any speed of the machine."""
    hash_seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    with migrated_database(postgres_url, template_database) as url:
        elsewhere = subprocess.run(
            [sys.executable, "-c", _PLAY, url, *map(str, _COMPARED)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[1])},
            check=True,
            capture_output=True,
            text=True,
        )
    here = [stage.play(draw_scenario(seed)).schedule for seed in _COMPARED]
    assert elsewhere.stdout.splitlines()[-1].split() == here


_COMPARED = (0, 4)
_PLAY = """
import sys
from simulation.scenario import draw_scenario
from simulation.stage import Stage
with Stage(sys.argv[1]) as stage:
    played = [stage.play(draw_scenario(int(seed))).schedule for seed in sys.argv[2:]]
print(*played)
"""


def _play_or_tell(stage: Stage, seed: int) -> None:
    whole = draw_scenario(seed)
    if stage.play(whole).wrong:
        small, played = shrink(whole, stage.play)
        pytest.fail(f"{story(small, played)}\n{replay_command(small, whole)}", pytrace=False)
