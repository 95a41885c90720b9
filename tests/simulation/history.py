"""Histories drawn by dice: what producers say, where it lands, and what is no event at all."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from histories import NOON
from llamalog_schemas.codec import encode
from llamalog_schemas.events import (
    EntityCreated,
    EntityData,
    EntityEvent,
    EntityType,
    Event,
    RootAdopted,
    RootAdoptionRevoked,
    RootOverrideData,
    Status,
    is_root_override,
    lineage_key,
)


class Said(NamedTuple):
    """A message of a history.

    Attributes:
        event: what it says; None for what is no event.
        partition: a number from which the partition follows.
    """

    value: bytes | None
    event: Event | None
    key: bytes | None
    partition: int


def draw_history(dice: Random) -> list[Said]:
    """From five to forty messages, in the order in which producers say them."""
    size = 5 + int(35 * dice.random() ** 2)
    events = dice.choice(_SHAPES)(dice, size)
    if dice.random() < 0.3:
        events += dice.choice(_SHAPES)(dice, dice.randint(2, 8))
    events = [_numbered(event, number, dice) for number, event in enumerate(events, 1)]
    said = [_said(event, dice) for event in events]
    if dice.random() < 0.6:
        dice.shuffle(said)
    for place in _places(dice, 0.10, said):
        said.insert(dice.randint(0, len(said)), said[place])  # said twice
    for place in _places(dice, 0.04, said):
        said.insert(dice.randint(0, len(said)), _contradicting(said[place], dice))
    for _ in _places(dice, 0.06, said):
        said.insert(dice.randint(0, len(said)), _no_event(dice))
    if dice.random() < 0.3:  # a lineage all over the place
        said = [one._replace(partition=dice.randrange(100)) for one in said]
    return said


def _places(dice: Random, share: float, said: list[Said]) -> list[int]:
    return [place for place in range(len(said)) if dice.random() < share]


def _said(event: Event, dice: Random) -> Said:
    key = lineage_key(event)
    return Said(encode(event), event, key, sum(key))


def _event(job: str | None, parent: str | None = None, declared: str | None = None) -> EntityEvent:
    return EntityCreated(
        id="",
        source="/simulated",
        time=NOON,
        specversion="1.0",
        data=EntityData(
            entity_type=EntityType.TRACK,
            entity_id=UUID(int=0),
            operation="track:created:simulated",
            status=Status.SUCCESS,
            job_id=job,
            parent_job_id=parent if parent != job else None,
            root_job_id=declared,
        ),
    )


def _override(dice: Random, job: str) -> Event:
    kind = RootAdopted if dice.random() < 0.6 else RootAdoptionRevoked
    return kind(
        id="",
        source="/simulated",
        time=NOON,
        specversion="1.0",
        data=RootOverrideData(job_id=job, reason="simulated", requested_by="simulation"),
    )


def _numbered(event: Event, number: int, dice: Random) -> Event:
    """Give an event its id and a time; few times differ, so that ids have to decide."""
    row = UUID(int=dice.getrandbits(100) << 8 | number)
    time = NOON + timedelta(milliseconds=dice.randrange(6))
    if is_root_override(event):
        return replace(event, id=str(row), time=time)
    data = replace(event.data, entity_id=UUID(int=number), metadata={"number": number})
    return replace(event, id=str(row), time=time, data=data)


def _tree(dice: Random, size: int) -> list[Event]:
    """Each job below one before it; some tops are never said, some rows bear no job."""
    jobs = ["top"]
    events: list[Event] = [_event("top")] if dice.random() < 0.7 else []
    for number in range(size):
        parent = dice.choice(jobs)
        if dice.random() < 0.1:
            events.append(_event(None, parent if dice.random() < 0.6 else None))
            continue
        job = f"job-{number}"
        jobs.append(job)
        events.append(_event(job, parent, dice.choice(jobs) if dice.random() < 0.1 else None))
        if dice.random() < 0.15:
            events.append(_event(job, None))
    return events


def _chain(dice: Random, size: int) -> list[Event]:
    """One job below the other; the top may be missing, adopted, or get a parent of its own."""
    events: list[Event] = [_event(f"job-{number}", f"job-{number - 1}") for number in range(1, size)]
    if dice.random() < 0.7:
        events.append(_event("job-0"))
    if dice.random() < 0.4:
        events.append(_event("job-0", "above"))
    if dice.random() < 0.4:
        events.append(_override(dice, dice.choice(["job-0", "above"])))
    if dice.random() < 0.5:
        events.reverse()
    return events


def _tangle(dice: Random, size: int) -> list[Event]:
    """Any claim about few jobs: conflicts, cycles that late events open or close, overrides."""
    jobs = [f"job-{number}" for number in range(dice.randint(2, 9))]
    events: list[Event] = []
    for _ in range(size):
        if dice.random() < 0.08:
            events.append(_override(dice, dice.choice(jobs)))
            continue
        job = dice.choice([*jobs, *jobs, *jobs, None])
        parent = dice.choice([*jobs, *jobs, *jobs, None])
        events.append(_event(job, parent, dice.choice(jobs) if dice.random() < 0.15 else None))
    return events


def _ring(dice: Random, size: int) -> list[Event]:
    """A cycle with branches, and other claims for its members, which open it if they are the earlier."""
    length = dice.randint(2, max(2, size // 2))
    events: list[Event] = [
        _event(f"job-{number}", f"job-{(number + 1) % length}") for number in range(length)
    ]
    for number in range(size - length):
        events.append(_event(f"branch-{number}", f"job-{dice.randrange(length)}"))
    if dice.random() < 0.6:
        events.append(_event(f"job-{dice.randrange(length)}", "outside"))
    if dice.random() < 0.4:
        events.append(_event("outside"))
    return events


def _growing(dice: Random, size: int) -> list[Event]:
    """A tree that goes on growing while its top is given one parent after the other."""
    events = _tree(dice, size)
    for number in range(dice.choice([1, 1, 2, 4])):
        events.insert(dice.randint(0, len(events)), _event("top", f"above-{number}"))
        if dice.random() < 0.5:
            events.insert(dice.randint(0, len(events)), _event(f"above-{number}"))
    return events


_SHAPES: list[Callable[[Random, int], list[Event]]] = [
    _tree,
    _growing,
    _growing,
    _chain,
    _tangle,
    _tangle,
    _ring,
]


def _contradicting(said: Said, dice: Random) -> Said:
    """The same id with another content, in the same partition or in another one."""
    if said.event is None or is_root_override(said.event):
        return said
    other = replace(said.event, data=replace(said.event.data, reason="another content"))
    return Said(encode(other), other, said.key, said.partition + dice.randrange(2))


def _no_event(dice: Random) -> Said:
    value = dice.choice(
        [
            None,
            b"",
            b"\xff\xfe",
            b"{",
            b'{"specversion": "1.0"}',
            encode(_numbered(_event("job-1", "job-2"), 1, dice)).replace(
                b"entity-created.v1", b"entity-created.v9"
            ),
            encode(_numbered(_event("job-1", "job-2"), 1, dice)).replace(b"job-2", b"job-1"),
            encode(_numbered(_event("job-1", "job-2"), 1, dice)).replace(b"job-2", b"\\u0000"),
        ]
    )
    return Said(value, None, dice.choice([None, b"key"]), dice.randrange(100))
