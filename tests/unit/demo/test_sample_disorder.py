"""The disorder on the sample's way to Kafka: what comes late, twice or broken."""

from collections import Counter
from itertools import islice

import pytest

from llamalog_schemas.codec import STRUCTURED_HEADERS, decode_event, encode
from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.events import EntityEvent, lineage_key
from llamalog_tools.cli.options import InvalidShareError, parse_share
from llamalog_tools.demo.damage import DAMAGES
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.messages import Kind, SampleMessage, structured

LATE, DUPLICATES, BAD = 0.1, 0.05, 0.02


@pytest.fixture(scope="module")
def day() -> list[EntityEvent]:
    return list(generate_day(150, seed=3))


@pytest.fixture(scope="module")
def messages(day: list[EntityEvent]) -> list[SampleMessage]:
    return list(disordered(day, late=LATE, duplicates=DUPLICATES, bad=BAD, seed=3))


def only(kind: Kind, messages: list[SampleMessage]) -> list[SampleMessage]:
    return [message for message in messages if message.kind is kind]


def events_of(messages: list[SampleMessage]) -> list[EntityEvent]:
    return [read(message) for message in only(Kind.EVENT, messages)]


def read(message: SampleMessage) -> EntityEvent:
    event = decode_event(message.value, message.headers)
    assert isinstance(event, EntityEvent)
    return event


def test_without_disorder_the_events_arrive_as_they_were_generated(day: list[EntityEvent]) -> None:
    messages = list(disordered(day, late=0, duplicates=0, bad=0, seed=3))

    assert [(message.key, message.value) for message in messages] == [
        (lineage_key(event), encode(event)) for event in day
    ]
    assert all(message.headers == list(STRUCTURED_HEADERS) for message in messages)


def test_the_same_seed_makes_the_same_disorder(day: list[EntityEvent], messages: list[SampleMessage]) -> None:
    assert list(disordered(day, late=LATE, duplicates=DUPLICATES, bad=BAD, seed=3)) == messages
    assert list(disordered(day, late=LATE, duplicates=DUPLICATES, bad=BAD, seed=4)) != messages


def test_every_event_arrives_exactly_once_beside_its_duplicates(
    day: list[EntityEvent], messages: list[SampleMessage]
) -> None:
    assert Counter(event.id for event in events_of(messages)) == Counter(event.id for event in day)


def test_the_shares_come_out_near_the_requested_ones(
    day: list[EntityEvent], messages: list[SampleMessage]
) -> None:
    parents = {event.data.parent_job_id for event in day}
    parents_events = sum(event.data.job_id in parents for event in day if event.data.job_id)

    assert sum(message.late for message in messages) == pytest.approx(LATE * parents_events, rel=0.25)
    assert len(only(Kind.DUPLICATE, messages)) == pytest.approx(DUPLICATES * len(day), rel=0.25)
    assert len(only(Kind.BAD, messages)) == pytest.approx(BAD * len(day), rel=0.25)


def test_exactly_the_events_called_late_arrive_after_an_event_of_a_child(
    messages: list[SampleMessage],
) -> None:
    seen_again: set[str | None] = set()
    named_as_parent: set[str | None] = set()
    overtaken = set()
    for event in events_of(messages):
        job = event.data.job_id
        if job is not None and job in named_as_parent and job not in seen_again:
            overtaken.add(job)
        seen_again.add(job)
        named_as_parent.add(event.data.parent_job_id)

    late = {read(message).data.job_id for message in messages if message.late}
    assert late
    assert overtaken == late


def test_a_late_event_arrives_within_some_hundred_messages(
    day: list[EntityEvent], messages: list[SampleMessage]
) -> None:
    original_position = {event.id: position for position, event in enumerate(day)}
    delays = [position - original_position[event.id] for position, event in enumerate(events_of(messages))]

    assert 100 < max(delays) < 1500


def test_some_grandchildren_arrive_before_their_parent_before_its_root() -> None:
    events = events_of(list(disordered(generate_day(150, seed=3), late=0.3, duplicates=0, bad=0, seed=3)))
    first_at: dict[str, int] = {}
    parents: dict[str, str] = {}
    for position, event in enumerate(events):
        if event.data.job_id is not None:
            first_at.setdefault(event.data.job_id, position)
            if event.data.parent_job_id is not None:
                parents[event.data.job_id] = event.data.parent_job_id

    assert any(
        first_at[job] < first_at[parent] < first_at[parents[parent]]
        for job, parent in parents.items()
        if parent in parents
    )


def test_when_all_parents_are_late_nothing_is_lost(day: list[EntityEvent]) -> None:
    arrived = events_of(list(disordered(day, late=1, duplicates=0, bad=0, seed=3)))

    assert Counter(event.id for event in arrived) == Counter(event.id for event in day)


def test_a_duplicate_equals_its_original_and_follows_it(messages: list[SampleMessage]) -> None:
    originals: dict[str, SampleMessage] = {}
    encodings = Counter[bool]()
    for message in messages:
        if message.kind is Kind.EVENT:
            originals[read(message).id] = message
        elif message.kind is Kind.DUPLICATE:
            original = originals[read(message).id]
            assert read(message) == read(original)
            assert message.key == original.key
            encodings[message.value == original.value] += 1

    assert encodings[True] > 0
    assert encodings[False] > 0


def test_every_bad_message_is_refused(messages: list[SampleMessage]) -> None:
    for message in only(Kind.BAD, messages):
        with pytest.raises(InvalidMessageError):
            decode_event(message.value, message.headers)


@pytest.mark.parametrize(
    "kind_of_event", ["album:created", "artist:created:album", "spotify:sync-new-releases"]
)
def test_every_damage_makes_any_event_invalid(day: list[EntityEvent], kind_of_event: str) -> None:
    event = next(event for event in day if event.data.operation == kind_of_event)
    reasons = set()
    for damage in DAMAGES:
        message = damage(structured(event))
        with pytest.raises(InvalidMessageError) as refusal:
            decode_event(message.value, message.headers)
        reasons.add(refusal.value.reason)

    assert reasons == set(InvalidReason) - {InvalidReason.TOO_LARGE}


def test_bad_messages_are_of_many_sorts_even_when_they_are_few(day: list[EntityEvent]) -> None:
    messages = disordered(day, late=0, duplicates=0, bad=0.02, seed=5)
    few = list(islice((message for message in messages if message.kind is Kind.BAD), len(DAMAGES)))

    assert len({message.value[:2000] + repr(message.headers).encode() for message in few}) == len(DAMAGES)
    assert any(message.key is None for message in few)


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("0.1%", 0.001), ("1 %", 0.01), ("0.25", 0.25), ("0", 0), ("100%", 1)]
)
def test_a_share_is_read_as_people_write_it(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "five", "5%%", "5", "-1%", "101%", "nan", "inf"])
def test_what_is_no_share_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidShareError, match="5%") as refusal:
        parse_share(text)

    assert f'"{text}"' in str(refusal.value)
