"""Histories drawn by dice: what producers publish, where it lands, and what is no event at all."""

from collections.abc import Iterable
from datetime import timedelta
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from histories import NOON
from llamalog_schemas.codec import encode
from llamalog_schemas.events import (
    Event,
    EventRetracted,
    EventRetractionRevoked,
    RetractionData,
    RetractionEvent,
    is_legacy_row,
    is_override,
    lineage_key,
    row_id,
)
from simulation.shapes import SHAPES, Shape, event


class Message(NamedTuple):
    """A message of a history.

    Attributes:
        event: the event that it holds; None for what is no event.
        partition: a number from which the partition follows.
        is_misplaced: it lands in the topic of the other events: a producer must not override, for one.
    """

    value: bytes | None
    event: Event | None
    key: bytes | None
    partition: int
    is_misplaced: bool = False


SOURCES: Final = ("/simulated", "/simulated/two", "/simulated/old")
OF_TWO: Final = SOURCES[1]
"""Its ids are also used by another producer."""

BEFORE_PRODUCERS: Final = SOURCES[2]
"""Its rows that are there from before were recorded when producers were not kept."""


def draw_history(
    dice: Random, shape: Shape | None = None, size: int | None = None, *, in_order: bool = False
) -> list[Message]:
    """The messages in the order in which producers publish them.

    Args:
        shape: of the events; None: any, and sometimes two.
        size: how many events about; None: from five to forty.
        in_order: published as the shape has them, in any partition, and seldom disturbed.
    """
    if size is None:
        size = 5 + int(35 * dice.random() ** 2)
    events = (shape or dice.choice(SHAPES))(dice, size)
    if shape is None and dice.random() < 0.3:
        events += dice.choice(SHAPES)(dice, dice.randint(2, 8))
    messages = [_message(one, dice) for one in numbered(events, dice)]
    if not in_order and dice.random() < 0.6:
        dice.shuffle(messages)
    noise = 0.2 if in_order else 1.0
    for place in _places(dice, 0.10 * noise, messages):
        messages.insert(dice.randint(0, len(messages)), messages[place])  # published twice
    for place in _places(dice, 0.04 * noise, messages) + _legacy_places(dice, messages):
        messages.insert(dice.randint(0, len(messages)), _contradicting(messages[place], dice))
    for _ in _places(dice, 0.06 * noise, messages):
        messages.insert(dice.randint(0, len(messages)), _no_event(dice))
    if in_order or dice.random() < 0.3:  # a lineage all over the place
        messages = [one._replace(partition=dice.randrange(100)) for one in messages]
    for place in _places(dice, 0.03, messages):
        messages.insert(dice.randint(0, len(messages)), messages[place]._replace(is_misplaced=True))
    return messages


def retract_some(messages: list[Message], dice: Random, most: int) -> list[Message]:
    """The messages and among them retractions of up to so many of their rows, some of them revoked."""
    rows = sorted({row_id(one.event) for one in messages if one.event and not is_override(one.event)})
    told = list(messages)
    for row in dice.sample(rows, min(len(rows), dice.randint(1, most))):
        kinds: list[type[RetractionEvent]] = [EventRetracted, EventRetractionRevoked, EventRetracted]
        for kind in kinds[: dice.choice([1, 1, 2, 3])]:
            data = RetractionData(row_id=row, reason="simulated", requested_by="simulation")
            one = kind(id="", source="/simulated", time=NOON, specversion="1.0", data=data)
            told.insert(dice.randint(0, len(told)), _message(_numbered(one, 0, dice), dice))
    return told


def numbered(events: Iterable[Event], dice: Random, first: int = 1) -> list[Event]:
    """Give events their ids and times; few times differ, so that ids have to decide."""
    return [_numbered(one, number, dice) for number, one in enumerate(events, first)]


def _places(dice: Random, share: float, messages: list[Message]) -> list[int]:
    return [place for place in range(len(messages)) if dice.random() < share]


def _legacy_places(dice: Random, messages: list[Message]) -> list[int]:
    """Some of the legacy rows, which are compared in another way than all others."""
    legacy = [
        place for place, one in enumerate(messages) if one.event is not None and is_legacy_row(one.event)
    ]
    return dice.sample(legacy, min(len(legacy), dice.randint(1, 2)))


def _message(event: Event, dice: Random) -> Message:
    key = lineage_key(event)
    return Message(encode(event), event, key, sum(key))


def _numbered(event: Event, number: int, dice: Random) -> Event:
    row = UUID(int=dice.getrandbits(100) << 8 | number % 256)
    time = NOON + timedelta(milliseconds=dice.randrange(6))
    if is_override(event):
        return replace(event, id=str(row), time=time)
    if is_legacy_row(event):
        data = replace(event.data, created_at=f"{time:%Y-%m-%d %H:%M:%S.%f}"[:-3])
        return replace(event, id=str(row), time=time, data=data)
    entity = replace(
        event.data, entity_id=UUID(int=number), metadata={**(event.data.metadata or {}), "number": number}
    )
    return replace(event, id=str(row), time=time, data=entity, source=SOURCES[number % len(SOURCES)])


def _contradicting(message: Message, dice: Random) -> Message:
    """The same id with another content, or of another producer, in the same partition or in another one."""
    if message.event is None or is_override(message.event):
        return message
    if message.event.source == OF_TWO:
        other: Event = replace(message.event, source=f"{OF_TWO}/another")
    else:
        other = replace(message.event, data=replace(message.event.data, reason="another content"))
    return Message(encode(other), other, message.key, message.partition + dice.randrange(2))


def _no_event(dice: Random) -> Message:
    value = dice.choice(
        [
            None,
            b"",
            b"\xff\xfe",
            b"{",
            b'{"specversion": "1.0"}',
            encode(_numbered(event("job-1", "job-2"), 1, dice)).replace(
                b"entity-created.v1", b"entity-created.v9"
            ),
            encode(_numbered(event("job-1", "job-2"), 1, dice)).replace(b"job-2", b"job-1"),
            encode(_numbered(event("job-1", "job-2"), 1, dice)).replace(b"job-2", b"\\u0000"),
        ]
    )
    return Message(value, None, dice.choice([None, b"key"]), dice.randrange(100))
