"""A run that a seed stands for, whole or shortened."""

from dataclasses import dataclass, replace
from random import Random

from simulation.aims import aim_of
from simulation.faults import Fault, Late, draw_late
from simulation.history import Message, draw_history, retract_some
from simulation.table import NO_TABLE, Table, draw_table

TESTED_SEEDS = (*range(20), 49, 164, 211, 34, 30)
"""What `make test` plays: enough to notice every fault of `planted.py`; `make simulate` plays more."""

_STEPS_OF_A_MESSAGE = 12
_MOST_RETRACTED = 6


@dataclass(frozen=True)
class Scenario:
    """Everything that a run follows from.

    Attributes:
        messages: by their place in the whole history.
        faults: what goes wrong, by its place in the whole list.
        table: what is in the table before the first message.
        late: the steps that often come late.
        partitions: of the entity events.
        pause: seconds between two messages, about; None: all are there from the start.
    """

    seed: int
    messages: dict[int, Message]
    faults: dict[int, Fault]
    table: Table
    late: Late | None
    partitions: int
    consumers: int
    migration_consumers: int
    max_records: int
    pause: float | None

    def keeping(self, messages: list[int], faults: list[int]) -> "Scenario":
        """The same with only these messages and faults."""
        kept = {place: self.messages[place] for place in messages}
        return replace(
            self,
            messages=kept,
            faults={place: self.faults[place] for place in faults},
            table=self.table.stated_by(kept.values()),
        )

    def dice(self, purpose: str) -> Random:
        return Random(f"{self.seed} {purpose}")


def draw_scenario(seed: int) -> Scenario:
    """What a seed stands for."""
    dice = Random(f"{seed} scenario")
    aim = aim_of(seed)
    history = Random(f"{seed} history")
    size = None if aim.size is None else dice.randint(*aim.size)
    messages = draw_history(history, aim.shape, size, in_order=aim.in_order)
    table = draw_table(history, messages) if aim.has_table else NO_TABLE
    retractions = Random(f"{seed} retractions")
    if retractions.random() < aim.retracts:
        messages = retract_some(messages, retractions, _MOST_RETRACTED)
    faults = aim.faults(Random(f"{seed} faults"), 60 + _STEPS_OF_A_MESSAGE * min(len(messages), 50))
    return Scenario(
        seed=seed,
        messages=dict(enumerate(messages)),
        faults=dict(enumerate(faults)),
        table=table,
        late=aim.late or draw_late(dice),
        partitions=dice.randint(3, 4) if aim.in_order else dice.randint(1, 4),
        consumers=2 if aim.in_order else dice.choice([2, 2, 3]),
        migration_consumers=dice.choice([1, 1, 2]),
        max_records=dice.choice(aim.max_records),
        pause=dice.choice(aim.pause),
    )
