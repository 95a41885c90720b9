"""Holding things back for a number of messages, as a network and a retry do."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

Item = TypeVar("Item")


class DelayLine(Generic[Item]):
    """Gives back what was put in after as many steps as were asked for; it holds what is under way."""

    def __init__(self) -> None:
        self._steps = 0
        self._puts = 0
        self._under_way: list[tuple[int, int, Item]] = []

    def put(self, item: Item, steps: int) -> None:
        """Hold an item back for so many steps."""
        self._puts += 1
        heappush(self._under_way, (self._steps + steps, self._puts, item))

    def step(self) -> Iterator[Item]:
        """One step further: the items that are due, those due first before the others."""
        self._steps += 1
        while self._under_way and self._under_way[0][0] <= self._steps:
            yield heappop(self._under_way)[2]

    def rest(self) -> Iterator[Item]:
        """All that is still under way, in the order in which it would have been due."""
        while self._under_way:
            yield heappop(self._under_way)[2]
