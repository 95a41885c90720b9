"""Erasures: what the fold and the rewriting of events make of a person's data."""

from itertools import permutations
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from histories import erasing_histories, erasure, event
from llamalog_schemas import EntityEvent, Event, LegacyRow, RowEvent, decode_event, encode, is_override
from llamalog_schemas.legacy import LEGACY_SOURCE, LegacyRowData
from llamalog_service.domain.erasures import Erasures, erased_content, erased_event, erasure_of, without_keys
from llamalog_service.domain.fold import fold
from llamalog_service.domain.legacy import legacy_content_of
from llamalog_service.domain.rows import RowContent, content_of

ADA, BOB = "7c1f", "9a02"


def of_user(number: int, user: str | None, **metadata: object) -> EntityEvent:
    made = event(number, "job")
    return replace(made, data=replace(made.data, user_id=user, metadata=metadata or None))


def erasures(*events: Event) -> Erasures:
    return Erasures().with_all(erasure_of(one) for one in events)  # type: ignore[arg-type]


def row_of(events: list[Event], number: int) -> tuple[RowContent, bool]:
    row = fold(events)[UUID(int=number)]
    assert isinstance(row.content, RowContent)
    return row.content, row.is_erased


def test_a_row_of_an_erased_person_loses_its_user_and_the_named_keys_in_any_order() -> None:
    events: list[Event] = [
        of_user(1, ADA, editor="Ada", track=3),
        of_user(2, BOB, editor="Bob"),
        erasure(3, ADA, keys=("editor",)),
    ]
    for order in permutations(events):
        content, is_erased = row_of(list(order), 1)
        assert (content.user_id, content.metadata, is_erased) == (None, {"track": 3}, True)
        other, is_other_erased = row_of(list(order), 2)
        assert (other.user_id, other.metadata, is_other_erased) == (BOB, {"editor": "Bob"}, False)


def test_the_keys_of_every_erasure_are_removed_from_every_row_of_an_erased_person() -> None:
    events: list[Event] = [
        of_user(1, ADA, editor="Ada", mail="a@b.c", track=3),
        erasure(2, ADA, keys=("editor",)),
        erasure(3, BOB, keys=("mail",)),
    ]
    assert row_of(events, 1)[0].metadata == {"track": 3}


def test_an_event_without_a_user_is_left_as_it_is() -> None:
    content, is_erased = row_of([of_user(1, None, editor="x"), erasure(2, ADA, keys=("editor",))], 1)
    assert (content.metadata, is_erased) == ({"editor": "x"}, False)


def test_a_rewritten_event_names_the_person_nowhere_and_becomes_the_same_row() -> None:
    original, command = of_user(1, ADA, editor="Ada", track=3), erasure(2, ADA, keys=("editor",))
    rewritten = erased_event(original, erasures(command))
    value = encode(rewritten)
    assert ADA.encode() not in value and b"Ada" not in value
    read = decode_event(value)
    assert read == rewritten
    assert fold([read, command]) == fold([original, command])
    assert erased_event(rewritten, erasures(command)) == rewritten


def test_a_rewritten_event_loses_keys_that_a_later_erasure_names() -> None:
    rewritten = erased_event(of_user(1, ADA, editor="Ada", mail="a@b.c"), erasures(erasure(2, ADA)))
    later = erasure(3, BOB, keys=("mail",))
    assert row_of([rewritten, later], 1)[0].metadata == {"editor": "Ada"}


def test_an_event_of_a_person_who_is_not_erased_is_returned_itself() -> None:
    original = of_user(1, BOB, editor="Bob")
    assert erased_event(original, erasures(erasure(2, ADA))) is original
    assert erased_event(original, Erasures()) is original
    assert erased_content(content_of(original), erasures(erasure(2, ADA))) is None


@pytest.mark.parametrize(
    ("metadata", "left"),
    [
        ('{"editor": "Ada", "n": 1e400, "m": 1.0}', '{"n": 1e400, "m": 1.0}'),
        ('["editor"]', '["editor"]'),
        ("7", "7"),
        (None, None),
    ],
)
def test_a_legacy_row_likewise_and_its_other_json_stays_as_it_is_written(
    metadata: str | None, left: str | None
) -> None:
    legacy = LegacyRow(
        id=str(UUID(int=1)),
        source=LEGACY_SOURCE,
        time=of_user(1, None).time,
        specversion="1.0",
        data=LegacyRowData(
            operation="o",
            category="CREATED",
            status="SUCCESS",
            created_at="2024-05-01 10:30:00.123",
            metadata=metadata,
            user_id=ADA,
        ),
    )
    erased = erased_event(legacy, erasures(erasure(2, ADA, keys=("editor",))))
    assert isinstance(erased, LegacyRow)
    assert (erased.data.user_id, erased.data.metadata) == (None, left)
    assert decode_event(encode(erased)) == erased
    content = erased_content(legacy_content_of(legacy), erasures(erasure(2, ADA, keys=("editor",))))
    assert content == legacy_content_of(erased)


def test_keys_are_removed_from_json_that_is_kept_as_text() -> None:
    raw = msgspec.Raw(b'{"editor": "Ada", "deep": [1]}')
    assert bytes(without_keys(raw, frozenset({"editor"}))) == b'{"deep": [1]}'


@settings(max_examples=300)
@given(erasing_histories())
def test_rewriting_the_events_first_changes_no_row(events: list[Event]) -> None:
    found = erasures(*(one for one in events if is_override(one) and not hasattr(one.data, "job_id")))
    rewritten: list[Event] = []
    for one in events:
        if is_override(one):
            rewritten.append(one)
        else:
            row: RowEvent = erased_event(one, found)
            rewritten.append(decode_event(encode(row)))
    assert fold(rewritten) == fold(events)
    assert fold(list(reversed(events))) == fold(events)
    persons = {one.data.user_id for one in events if not is_override(one)} - {None}
    for user in persons:
        assert (found.of(user) is None) == any(
            isinstance(row.content, RowContent) and row.content.user_id == user
            for row in fold(events).values()
        )
