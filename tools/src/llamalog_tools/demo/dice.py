"""The sample day's time, ids and chances: all of them follow from one seed, none from a clock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, TypeVar
from uuid import UUID

DAY_BEGINS: Final = datetime(2026, 2, 10, tzinfo=UTC)
"""The time of the first event of every sample day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_STEP_MS = 350
"""10,000 albums then fit into the day."""

_VERSION_7 = 0x7 << 76
_RFC_VARIANT = 0b10 << 62

Item = TypeVar("Item")


def seeded(*seed: object) -> Random:
    """A generator for one purpose: numbers drawn for one purpose do not shift those of another."""
    return Random("/".join(map(str, seed)))  # noqa: S311 -- a sample that is to come out the same each time


class Dice:
    """The clock, ids and chances of the sample day, in the order in which they are drawn."""

    def __init__(self, seed: int) -> None:
        self._random = seeded("day", seed)
        self._milliseconds = (DAY_BEGINS - _EPOCH) // timedelta(milliseconds=1)

    def tick(self) -> datetime:
        """The time of the next event: whole milliseconds, later than any before."""
        self._milliseconds += 1 + int(self._random.random() * _LONGEST_STEP_MS)
        return _EPOCH + timedelta(milliseconds=self._milliseconds)

    def uuid(self) -> UUID:
        """A UUIDv7 of the present moment of the day."""
        chance = self._random.getrandbits(74)
        high, low = chance >> 62, chance & (2**62 - 1)
        return UUID(int=self._milliseconds << 80 | _VERSION_7 | high << 64 | _RFC_VARIANT | low)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return self._random.random() < probability

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + int(self._random.random() * (most - least + 1))

    def one_of(self, items: Sequence[Item]) -> Item:
        """Any of the items."""
        return items[int(self._random.random() * len(items))]


class EveryNth:
    """True for every nth call, from a random start: so even a small sample has its share."""

    def __init__(self, every: int, dice: Dice) -> None:
        self._every = every
        self._count = dice.between(1, every)

    def is_due(self) -> bool:
        """Whether this call is an nth one."""
        self._count += 1
        return self._count % self._every == 0
