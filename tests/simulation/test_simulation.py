"""Any order, any duplication, any crash: the log is the fold. A share of `make simulate`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.databases import migrated_database
from simulation.report import replay_command, story
from simulation.scenario import TESTED_SEEDS, draw_scenario
from simulation.shrink import shrink
from simulation.stage import Stage


@pytest.mark.parametrize("first", range(0, len(TESTED_SEEDS), 20))
def test_every_seed_ends_as_the_fold_says(stage: Stage, first: int) -> None:
    for seed in TESTED_SEEDS[first : first + 20]:
        _play_or_tell(stage, seed)


def test_a_seed_is_the_same_run_in_every_process(postgres_url: str, template_database: str) -> None:
    """For any hashes of strings and any speed of the machine."""
    schedules = set()
    for hash_seed in ("1", "2"):
        with migrated_database(postgres_url, template_database) as url:
            played = subprocess.run(
                [sys.executable, "-c", _PLAY, url],
                env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[1])},
                check=True,
                capture_output=True,
                text=True,
            )
        schedules.add(played.stdout.splitlines()[-1])
    assert len(schedules) == 1


_PLAY = """
import sys
from simulation.scenario import TESTED_SEEDS, draw_scenario
from simulation.stage import Stage
with Stage(sys.argv[1]) as stage:
    played = [stage.play(draw_scenario(seed)).schedule for seed in range(5)]
print(*played)
"""


def _play_or_tell(stage: Stage, seed: int) -> None:
    whole = draw_scenario(seed)
    if stage.play(whole).wrong:
        small, played = shrink(whole, stage.play)
        pytest.fail(f"{story(small, played)}\n{replay_command(small, whole)}", pytrace=False)
