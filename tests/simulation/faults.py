"""What goes wrong in a simulation, and when: a list that can be shortened."""

from random import Random
from typing import NamedTuple

STATEMENT, COMMIT, PUBLISH, OFFSETS, FETCH = "statement", "COMMIT", "publish", "offsets", "fetch"


class Fault(NamedTuple):
    """One thing that goes wrong, at the first step from `at` on at which it can.

    Attributes:
        kind: a word of `KINDS`.
        op: the sort of step that it befalls; empty: any.
        after: whether the step takes effect before it fails: an unknown outcome.
        seconds: how long it lasts, where it lasts.
        who: what the name of the process that it befalls begins with.
    """

    at: int
    kind: str
    op: str = ""
    after: bool = False
    seconds: float = 0.0
    who: str = ""

    def __str__(self) -> str:
        when = f"{'after' if self.after else 'before'} {self.op}" if self.op else ""
        lasting = f"for {self.seconds:.1f} s" if self.seconds else ""
        words = (f"from step {self.at}:", self.kind, self.who, when, lasting)
        return " ".join(word for word in words if word)


class Late(NamedTuple):
    """Steps of one sort that often come late: between a look and its commit is where others are missed.

    Attributes:
        who: what the names of the processes begin with.
        op: the sort of step.
        what: a part of what the step is about (of a COMMIT the transaction's first statement); empty: any.
        seconds: how late, on average.
        share: of these steps.
    """

    who: str
    op: str
    what: str = ""
    seconds: float = 1.0
    share: float = 0.7


LATE_CORRECTIONS = Late("migration-consumer", COMMIT, "pg_advisory_xact_lock", seconds=3.0, share=1.0)
LATE_RECORDS = Late("consumer 0", PUBLISH, "provenance", seconds=8.0, share=0.9)
LATE_OUTBOX = Late("migration-consumer", PUBLISH, "provenance")


def draw_late(dice: Random) -> Late | None:
    """What comes late in a run; in some nothing does."""
    return dice.choice(
        [
            *(None, None),
            *(Late("consumer", COMMIT), Late("migration-consumer", COMMIT), LATE_CORRECTIONS),
            *(LATE_RECORDS, LATE_OUTBOX),
        ]
    )


def draw_faults(dice: Random, steps: int) -> list[Fault]:
    """The faults of a run that has about so many steps; every fifth run has none."""
    if dice.random() < 0.2:
        return []
    drawn = [_draw(dice, dice.randrange(steps)) for _ in range(min(12, 1 + int(dice.expovariate(0.4))))]
    if dice.random() < 0.1:
        drawn += set_back(dice, steps)
    return sorted(drawn)


def set_back(dice: Random, steps: int) -> list[Fault]:
    """An older copy takes the database's place."""
    middle = steps // 2
    return [Fault(dice.randrange(middle), "backup"), Fault(dice.randrange(middle, steps), "set back")]


def crashes(dice: Random, steps: int) -> list[Fault]:
    """Consumers die between the commit of rows and that of their offsets."""
    ops = [PUBLISH, PUBLISH, OFFSETS]
    return [
        Fault(dice.randrange(steps), "crash", dice.choice(ops), dice.random() < 0.3, who="consumer")
        for _ in range(dice.randint(2, 4))
    ]


def outages(dice: Random, steps: int) -> list[Fault]:
    """Kafka is away for longer than a batch waits."""
    return [Fault(dice.randrange(steps), "kafka away", seconds=90.0) for _ in range(2)]


def _draw(dice: Random, at: int) -> Fault:
    kind = dice.choices(
        [
            "crash",
            "fail",
            "stop",
            "rebalance",
            "freeze",
            "database away",
            "kafka away",
            "lose command",
            "sweep",
        ],
        [10, 8, 1, 4, 10, 2, 2, 2, 1],
    )[0]
    after = dice.random() < 0.5
    match kind:
        case "crash":
            return Fault(at, kind, dice.choice([STATEMENT, COMMIT, COMMIT, PUBLISH, OFFSETS, FETCH]), after)
        case "fail":
            return Fault(at, kind, dice.choice([STATEMENT, COMMIT, COMMIT, PUBLISH, OFFSETS]), after)
        case "freeze":
            op = dice.choice([STATEMENT, COMMIT, COMMIT, PUBLISH, OFFSETS])
            seconds = dice.uniform(1, 60) if dice.random() < 0.5 else dice.uniform(0.1, 1)
            return Fault(
                at, kind, op, seconds=seconds, who=dice.choice(["", "consumer", "migration-consumer"])
            )
        case "database away" | "kafka away":
            return Fault(at, kind, seconds=dice.choice([0.0, 1.0, 10.0, 90.0]))
        case "lose command":
            return Fault(at, kind, PUBLISH)
        case _:
            return Fault(at, kind)
