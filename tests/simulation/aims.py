"""What runs aim at: a window between two steps, or a kind of history that is rare by itself."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple

from simulation.faults import (
    LATE_CORRECTIONS,
    LATE_OUTBOX,
    LATE_RECORDS,
    Fault,
    Late,
    crashes,
    draw_faults,
    outages,
    set_back,
)
from simulation.shapes import (
    Shape,
    climbing,
    erased,
    growing,
    late_parents,
    late_top,
    legacy,
    overridden,
    tree,
)


class Aim(NamedTuple):
    """What the dice are not free to choose.

    Attributes:
        shape: of the history.
        in_order: whether it is published as the shape has it, one message after the other.
        late: the steps that come late.
        faults: those that are drawn besides the usual ones.
        pause: between two messages.
        size: of the history, from and to.
        max_records: of a batch.
        has_table: whether rows are there before the first event, of which a rebuild removes some.
        retracts: how often events are taken back.
    """

    shape: Shape | None = None
    in_order: bool = False
    late: Late | None = None
    faults: Callable[[Random, int], list[Fault]] = draw_faults
    pause: Sequence[float | None] = (None, None, 0.0, 0.1, 0.3)
    size: tuple[int, int] | None = None
    max_records: Sequence[int] = (1, 2, 5, 20)
    has_table: bool = False
    retracts: float = 0.15


def _with(*more: Callable[[Random, int], list[Fault]]) -> Callable[[Random, int], list[Fault]]:
    def draw(dice: Random, steps: int) -> list[Fault]:
        usual = draw_faults(dice, steps) if dice.random() < 0.3 else []
        return sorted([*usual, *(fault for drawn in more for fault in drawn(dice, steps))])

    return draw


_FEW: Final = _with()
_SLOW: Final = (0.2, 0.5)


def _none(dice: Random, steps: int) -> list[Fault]:
    return []


FREE: Final = Aim()
_LATE_TOP: Final = Aim(late_top, in_order=True, pause=_SLOW, late=LATE_CORRECTIONS, faults=_none)
_OVERTAKEN: Final = Aim(late_parents, in_order=True, pause=(1.0, 2.0), late=LATE_RECORDS, faults=_none)
_CLIMBING: Final = Aim(climbing, in_order=True, pause=_SLOW, late=LATE_OUTBOX, faults=_none)
_OVERRIDDEN: Final = Aim(overridden, in_order=True, pause=_SLOW)
_ERASED: Final = Aim(erased, pause=(None, 0.1, 0.3))
_RETRACTED: Final = Aim(growing, pause=(None, 0.1, 0.3), retracts=1.0)
_SET_BACK: Final = Aim(faults=_with(set_back))
_CRASHES: Final = Aim(faults=_with(crashes))
_OUTAGES: Final = Aim(faults=_with(outages), max_records=(1, 2))
_LEGACY: Final = Aim(legacy, has_table=True, size=(10, 25))
_ORPHANS: Final = Aim(tree, has_table=True, faults=_FEW, pause=_SLOW, size=(10, 25))
_LARGE: Final = Aim(tree, size=(150, 300), max_records=(100, 500), faults=_FEW)

_ROUND: Final = (
    *(FREE, _LATE_TOP, _OVERTAKEN, _SET_BACK, _ORPHANS),
    *(_LEGACY, _CLIMBING, _CRASHES, _OVERRIDDEN, _OUTAGES),
    *(_ERASED, _LATE_TOP, _OVERTAKEN, _SET_BACK, _ORPHANS),
    *(_LEGACY, _CLIMBING, _CRASHES, _RETRACTED, _SET_BACK),
)
"""Of any twenty seeds in a row each aim has one at least; those have more that do not always hit."""
_LARGE_EVERY: Final = 100


def aim_of(seed: int) -> Aim:
    """The aim of a seed; few have large batches, which take long."""
    return _LARGE if seed % _LARGE_EVERY == 10 else _ROUND[seed % len(_ROUND)]
