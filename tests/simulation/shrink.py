"""From a scenario that fails to a small one that fails in the same way."""

from collections.abc import Callable, Iterator

from simulation.play import Played
from simulation.scenario import Scenario

_MAX_TRIES = 200


def shrink(scenario: Scenario, play: Callable[[Scenario], Played]) -> tuple[Scenario, Played]:
    """Leave out faults and messages, in ever smaller pieces, as long as it fails in the same way."""
    played = play(scenario)
    how = _how(played)
    tries = 0
    while tries < _MAX_TRIES:
        for smaller in _smaller(scenario):
            tries += 1
            again = play(smaller)
            if _how(again) == how:
                scenario, played = smaller, again
                break
            if tries >= _MAX_TRIES:
                break
        else:
            break
    return scenario, played


def _how(played: Played) -> str:
    return played.wrong[0].partition(":")[0] if played.wrong else ""


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    messages, faults = list(scenario.messages), list(scenario.faults)
    for kept in _with_less(faults):
        yield scenario.keeping(messages, kept)
    for kept in _with_less(messages):
        yield scenario.keeping(kept, faults)


def _with_less(places: list[int]) -> Iterator[list[int]]:
    """All but a half, then all but a quarter, down to all but one."""
    size = len(places)
    while size:
        size = (size + 1) // 2 if size > 1 else 0
        piece = max(size, 1)
        for start in range(0, len(places), piece):
            yield places[:start] + places[start + piece :]
        if piece == 1:
            return
