"""Faults planted in the code are noticed by the seeds that `make test` plays, and a failure is made small."""

import pytest

from simulation.planted import FAULTS, planted
from simulation.report import replay_command
from simulation.scenario import TESTED_SEEDS, draw_scenario
from simulation.shrink import shrink
from simulation.stage import Stage


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_the_seeds_that_are_played_here(stage: Stage, fault: str) -> None:
    known = FAULTS[fault].caught_by
    assert known in TESTED_SEEDS
    with planted(fault):  # changes of the code move the number; any other seed played here will do, too
        played = (seed for seed in (known, *TESTED_SEEDS) if stage.play(draw_scenario(seed)).wrong)
        caught = next(played, None)
    assert caught is not None, f"{fault}: nothing noticed in {len(TESTED_SEEDS)} seeds"
    print(f"{fault}: caught by seed {caught}")


def test_a_failing_seed_is_made_smaller_and_plays_again_as_small(stage: Stage) -> None:
    with planted("no look after the commit"):
        short_first = sorted(TESTED_SEEDS, key=lambda seed: len(draw_scenario(seed).messages))
        failing = next(seed for seed in short_first if stage.play(draw_scenario(seed)).wrong)
        whole = draw_scenario(failing)
        small, played = shrink(whole, stage.play)
        again = stage.play(whole.keeping(list(small.messages), list(small.faults)))
    assert len(small.messages) < len(whole.messages)
    assert again.wrong == played.wrong
    assert again.schedule == played.schedule
    command = replay_command(small, whole)
    assert command.startswith(f"make simulate SEED={failing} MESSAGES=")
