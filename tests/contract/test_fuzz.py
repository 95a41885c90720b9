"""The decode step under thousands of bad inputs, and a fuzzer that finds planted faults."""

import os
from pathlib import Path

import pytest

from fuzz import planted
from fuzz.inputs import DRAWN_EVERY, input_of
from fuzz.judging import judge
from fuzz.watching import ReplayPolicy, fuzz
from llamalog_schemas import InvalidReason

INPUTS = 2_000
"""Every reason of a refusal comes among them; `make fuzz` judges 100,000."""


@pytest.mark.slow
def test_thousands_of_inputs_are_events_or_refused_for_a_typed_reason() -> None:
    outcome = fuzz(judge, seed=1, first=0, inputs=INPUTS, workers=os.cpu_count() or 1)
    assert outcome.failures == []
    assert outcome.kinds.total() == INPUTS
    assert set(InvalidReason) | {"event", "override", "tombstone"} == set(outcome.kinds)


def test_an_input_is_the_same_one_every_time() -> None:
    numbers = range(3 * DRAWN_EVERY)
    assert [input_of(5, number) for number in numbers] == [input_of(5, number) for number in numbers]
    assert [input_of(5, number) for number in numbers] != [input_of(6, number) for number in numbers]
    assert {input_of(5, number * DRAWN_EVERY).how for number in range(5)} == {"drawn"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("breaks", "why"),
    [
        (planted.crashes, "died of it, with code -6"),
        (planted.stalls, "it stalled"),
        (planted.raises, "RecursionError"),
    ],
)
def test_an_input_that_breaks_the_decode_step_is_named(
    breaks: ReplayPolicy, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # for the core that a crash may leave
    outcome = fuzz(breaks, seed=1, first=0, inputs=100, workers=2, stalled_cpu_seconds=2.0)
    assert len(outcome.failures) == 1, outcome.failures
    (failure,) = outcome.failures
    assert failure.number == planted.AT
    assert why in failure.why
