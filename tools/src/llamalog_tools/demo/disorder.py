"""Disorder on the way to Kafka: events that come late, duplicates, and messages that are no event."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Generic, TypeVar
from zlib import crc32

from llamalog_schemas.codec import decode_event, encode_event_binary
from llamalog_schemas.events import EntityEvent
from llamalog_tools.demo.damage import Damager
from llamalog_tools.demo.dice import seeded
from llamalog_tools.demo.messages import Kind, SampleMessage, structured

Item = TypeVar("Item")


class DelayLine(Generic[Item]):
    """Returns each item a given number of steps after it was put in."""

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


_LATEST = 300
"""The most events that a late one comes after the first child that overtook it."""

_LAST_DUPLICATE = 500
"""The most messages that a duplicate comes after its original."""

_FORESIGHT = 400
"""Events looked ahead to know which jobs have children; far more than a job takes to start its first."""


def disordered(
    events: Iterable[EntityEvent], *, late: float, duplicates: float, bad: float, seed: int
) -> Iterator[SampleMessage]:
    """The messages that a topic gets instead of the orderly events; equal arguments give equal messages.

    Args:
        events: in causal order; each becomes exactly one message of kind EVENT.
        late: the share of parents' events (events of a job that starts others) that come after a child's.
        duplicates: how many duplicates come for an event, as a share; half of them in the other encoding.
        bad: how many messages that are no valid event come for an event, as a share.
        seed: of this disorder; the events have their own.
    """
    arriving = _with_late_parents(events, late, seed)
    return _with_duplicates(_with_bad(arriving, bad, seed), duplicates, seed)


def _with_late_parents(events: Iterable[EntityEvent], share: float, seed: int) -> Iterator[SampleMessage]:
    """Hold a job's events until a child's went ahead, and a little longer.

    A child may itself be waiting for its own child, so that grandchildren come before children before roots.
    """
    dice = seeded("late", seed)
    overtakable: dict[str, list[EntityEvent]] = {}
    released = DelayLine[EntityEvent]()

    def arrive(event: EntityEvent, *, is_late: bool) -> SampleMessage:
        for parent in overtakable.pop(event.data.parent_job_id or "", ()):
            released.put(parent, dice.randint(1, _LATEST))
        return structured(event, late=is_late)

    for event, job_with_children in _with_foresight(events):
        if job_with_children is not None and _is_chosen(job_with_children, share, seed):
            overtakable.setdefault(job_with_children, []).append(event)
        else:
            yield arrive(event, is_late=False)
        for parent in released.step():
            yield arrive(parent, is_late=True)
    for parent in released.rest():
        yield arrive(parent, is_late=True)


def _with_foresight(events: Iterable[EntityEvent]) -> Iterator[tuple[EntityEvent, str | None]]:
    """Each event with its job if one of the events to come names that job as its parent."""
    coming = iter(events)
    foreseen = deque(islice(coming, _FORESIGHT))
    parents = Counter(event.data.parent_job_id for event in foreseen)
    while foreseen:
        event = foreseen.popleft()
        parents[event.data.parent_job_id] -= 1
        if not parents[event.data.parent_job_id]:
            del parents[event.data.parent_job_id]
        for newly_foreseen in islice(coming, 1):
            foreseen.append(newly_foreseen)
            parents[newly_foreseen.data.parent_job_id] += 1
        job = event.data.job_id
        yield event, job if job is not None and job in parents else None


def _is_chosen(job: str, share: float, seed: int) -> bool:
    """By the job's name, so that all its events are chosen or none, without state."""
    return crc32(f"{seed}/{job}".encode()) < share * 2**32


def _with_bad(messages: Iterator[SampleMessage], share: float, seed: int) -> Iterator[SampleMessage]:
    dice = seeded("bad", seed)
    damager = Damager(dice)
    for message in messages:
        yield message
        if dice.random() < share:
            yield damager.damaged(message)


def _with_duplicates(messages: Iterator[SampleMessage], share: float, seed: int) -> Iterator[SampleMessage]:
    dice = seeded("duplicates", seed)
    repeated = DelayLine[SampleMessage]()
    for message in messages:
        yield message
        if message.kind is Kind.EVENT and dice.random() < share:
            repeated.put(
                _again(message, in_binary_mode=dice.random() < 0.5), dice.randint(1, _LAST_DUPLICATE)
            )
        yield from repeated.step()
    yield from repeated.rest()


def _again(message: SampleMessage, *, in_binary_mode: bool) -> SampleMessage:
    """The same bytes, or the same event encoded otherwise: equal content is what makes a duplicate."""
    if in_binary_mode:
        value, headers = encode_event_binary(decode_event(message.value))
        return SampleMessage(message.key, value, headers, Kind.DUPLICATE)
    return message._replace(kind=Kind.DUPLICATE, late=False)
