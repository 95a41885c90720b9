"""Any order, any duplication, any crash: the log is the fold. A share of `make simulate`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulation.databases import migrated_database
from simulation.planted import FAULTS, planted
from simulation.report import replay_command, story
from simulation.scenario import draw_scenario
from simulation.shrink import shrink
from simulation.stage import Stage

SEEDS = range(300)
"""What `make test` plays."""


@pytest.fixture(scope="module")
def stage(postgres_url: str, template_database: str) -> Iterator[Stage]:
    with migrated_database(postgres_url, template_database) as url, Stage(url) as stage:
        yield stage


@pytest.mark.parametrize("first", SEEDS[::25])
def test_every_seed_ends_as_the_fold_says(stage: Stage, first: int) -> None:
    for seed in range(first, first + 25):
        _play_or_tell(stage, seed)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_the_seeds_that_are_played_here(stage: Stage, fault: str) -> None:
    with planted(fault):
        caught = next((seed for seed in SEEDS if stage.play(draw_scenario(seed)).wrong), None)
    assert caught is not None, f"{fault}: nothing noticed in {len(SEEDS)} seeds"


def test_a_failing_seed_is_made_smaller_and_plays_again_as_small(stage: Stage) -> None:
    with planted("no look after the commit"):
        failing = next(seed for seed in SEEDS if stage.play(draw_scenario(seed)).wrong)
        whole = draw_scenario(failing)
        small, played = shrink(whole, stage.play)
        again = stage.play(whole.keeping(list(small.said), list(small.faults)))
    assert len(small.said) < len(whole.said)
    assert again.wrong == played.wrong
    assert again.schedule == played.schedule
    command = replay_command(small, whole)
    assert command.startswith(f"make simulate SEED={failing} SAID=")


def test_a_seed_is_the_same_run_in_every_process(postgres_url: str, template_database: str) -> None:
    """Whatever the hashes of strings and the speed of the machine."""
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
from simulation.scenario import draw_scenario
from simulation.stage import Stage
with Stage(sys.argv[1]) as stage:
    played = [stage.play(draw_scenario(seed)).schedule for seed in range(8)]
print(*played)
"""


def _play_or_tell(stage: Stage, seed: int) -> None:
    whole = draw_scenario(seed)
    if stage.play(whole).wrong:
        small, played = shrink(whole, stage.play)
        pytest.fail(f"{story(small, played)}\n{replay_command(small, whole)}", pytrace=False)
