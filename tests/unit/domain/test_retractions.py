"""Retractions: what the fold makes of events that were taken back, in any order."""

from itertools import permutations
from uuid import UUID

from hypothesis import given, settings
from msgspec.structs import replace

from histories import event, histories, override, retracting_histories, retraction
from llamalog_schemas.events import EntityEvent, Event, is_retraction
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.fold import FoldedRow, fold
from llamalog_service.domain.lineage import Root


def roots(*events: Event) -> list[Root]:
    """The roots of the rows by the numbers of their events, the same in every order."""
    rows, *others = (fold(order) for order in permutations(events))
    assert all(other == rows for other in others)
    return [row.root for _, row in sorted(rows.items())]


def row_of(number: int, *events: Event) -> FoldedRow:
    return fold(events)[UUID(int=number)]


def test_a_retracted_claim_gives_its_job_no_parent_and_the_row_stays() -> None:
    events = [event(1, "album"), event(2, "track", "album"), retraction(3, 2)]
    assert roots(*events) == [Root("album", Origin.ROOT), Root("track", Origin.ROOT)]
    row = row_of(2, *events)
    assert row.is_retracted
    assert (row.content.job_id, row.content.parent_job_id) == ("track", "album")


def test_what_hung_on_a_retracted_claim_follows_the_next_one() -> None:
    events = [event(1, "track", "wrong"), event(2, "track", "album"), event(3, "image", "track")]
    assert roots(*events)[2] == Root(None, Origin.PENDING)
    resolved = roots(*events, event(4, "album"), retraction(5, 1))
    assert resolved[:3] == [Root("album", Origin.RESOLVED)] * 3


def test_a_retracted_row_is_in_no_conflict() -> None:
    events = [event(1, "track", "album"), event(2, "track", "other"), event(3, "album")]
    assert roots(*events)[1].parent_conflict
    assert not roots(*events, retraction(4, 2))[1].parent_conflict


def test_a_retracted_declaration_counts_neither_for_its_job_nor_for_its_own_row() -> None:
    events = [event(1, "track", "lost", declared="album"), event(2, "image", "track")]
    assert {root.origin for root in roots(*events)} == {Origin.DECLARED}
    assert roots(*events, event(3, "track", "lost"), retraction(4, 1))[:2] == [Root(None, Origin.PENDING)] * 2


def test_a_job_whose_only_event_is_retracted_was_seen_all_the_same() -> None:
    events = [event(1, "album"), event(2, "track", "album"), override(3, "album", adopted=False)]
    assert roots(*events, retraction(4, 1)) == [Root("album", Origin.ROOT), Root("album", Origin.RESOLVED)]


def test_a_row_without_a_job_keeps_the_parent_under_which_it_stands() -> None:
    assert roots(event(1, "album"), event(2, None, "album"), retraction(3, 2))[1] == Root(
        "album", Origin.RESOLVED
    )


def test_a_revoked_retraction_counts_no_longer_and_the_latest_statement_decides() -> None:
    events = [event(1, "album"), event(2, "track", "album"), retraction(3, 2)]
    revoked = [*events, retraction(4, 2, retracted=False)]
    assert roots(*revoked) == roots(*events[:2])
    assert not row_of(2, *revoked).is_retracted
    assert row_of(2, *revoked, retraction(5, 2)).is_retracted
    assert row_of(2, *events, retraction(4, 2, retracted=False, at=2)).is_retracted


@settings(max_examples=300)
@given(retracting_histories())
def test_retracted_rows_are_as_rows_that_claim_and_declare_nothing(events: list[Event]) -> None:
    """Against the fold without retractions: of events that never said what was taken back."""
    rows = fold(events)
    silent = [
        replace(one, data=replace(one.data, parent_job_id=None, root_job_id=None))
        if isinstance(one, EntityEvent) and rows[UUID(one.id)].is_retracted and one.data.job_id is not None
        else one
        for one in events
        if not is_retraction(one)
    ]
    silent = [
        replace(one, data=replace(one.data, root_job_id=None))
        if isinstance(one, EntityEvent) and rows[UUID(one.id)].is_retracted
        else one
        for one in silent
    ]
    assert {row: one.root for row, one in rows.items()} == {
        row: one.root for row, one in fold(silent).items()
    }


@given(histories())
def test_a_history_without_retractions_retracts_no_row(events: list[Event]) -> None:
    assert not any(row.is_retracted for row in fold(events).values())
