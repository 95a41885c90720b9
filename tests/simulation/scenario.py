"""A run that a seed stands for, whole or shortened."""

from dataclasses import dataclass
from random import Random

from simulation.faults import Fault, draw_faults
from simulation.history import Said, draw_history

TESTED_SEEDS = (*range(96), 207, 241, 535, 622)
"""What `make test` plays: enough to notice every fault of `planted.py`; `make simulate` plays more."""

_STEPS_OF_A_MESSAGE = 12


@dataclass(frozen=True)
class Scenario:
    """Everything that a run follows from.

    Attributes:
        said: the messages, by their place in the whole history.
        faults: what goes wrong, by its place in the whole list.
        partitions: of the entity events.
        pause: seconds between two messages, about; None: all are there from the start.
    """

    seed: int
    said: dict[int, Said]
    faults: dict[int, Fault]
    partitions: int
    consumers: int
    migration_consumers: int
    max_records: int
    pause: float | None

    def keeping(self, said: list[int], faults: list[int]) -> "Scenario":
        """The same with only these messages and faults."""
        return Scenario(
            self.seed,
            {place: self.said[place] for place in said},
            {place: self.faults[place] for place in faults},
            self.partitions,
            self.consumers,
            self.migration_consumers,
            self.max_records,
            self.pause,
        )

    def dice(self, purpose: str) -> Random:
        return Random(f"{self.seed} {purpose}")


def draw_scenario(seed: int) -> Scenario:
    """What a seed stands for."""
    dice = Random(f"{seed} scenario")
    said = draw_history(Random(f"{seed} history"))
    faults = draw_faults(Random(f"{seed} faults"), 60 + _STEPS_OF_A_MESSAGE * len(said))
    return Scenario(
        seed=seed,
        said=dict(enumerate(said)),
        faults=dict(enumerate(faults)),
        partitions=dice.randint(1, 4),
        consumers=dice.choice([2, 2, 3]),
        migration_consumers=dice.choice([1, 1, 2]),
        max_records=dice.choice([1, 2, 5, 20]),
        pause=dice.choice([None, None, 0.0, 0.1, 0.3]),
    )
