"""The rules of roots, one by one, as the design's table states them."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from histories import event, histories, override
from llamalog_schemas.events import Event
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.fold import fold
from llamalog_service.domain.lineage import Root


def roots(*events: Event) -> dict[int, Root]:
    return {row_id.int: row.root for row_id, row in fold(events).items()}


def test_a_job_without_a_parent_is_its_own_root() -> None:
    assert roots(event(1, "album")) == {1: Root("album", Origin.ROOT)}


def test_a_grandchild_has_the_topmost_job_as_root() -> None:
    found = roots(event(1, "album"), event(2, "enrich", "album"), event(3, "track", "enrich"))
    assert found[2] == Root("album", Origin.RESOLVED)
    assert found[3] == Root("album", Origin.RESOLVED)


def test_a_row_without_a_job_hangs_on_its_parent() -> None:
    found = roots(event(1, "album"), event(2, None, "album"))
    assert found[2] == Root("album", Origin.RESOLVED)


def test_a_row_with_neither_job_nor_parent_is_untracked_even_if_it_declares_a_root() -> None:
    assert roots(event(1), event(2, declared="album")) == {
        1: Root(None, Origin.UNTRACKED),
        2: Root(None, Origin.UNTRACKED),
    }


def test_a_chain_whose_top_was_never_seen_is_pending() -> None:
    found = roots(event(1, "enrich", "album"), event(2, "track", "enrich"))
    assert found == {1: Root(None, Origin.PENDING), 2: Root(None, Origin.PENDING)}


def test_the_earliest_claim_decides_and_a_later_differing_one_is_flagged() -> None:
    found = roots(
        event(1, "right"),
        event(2, "wrong"),
        event(3, "track", "wrong", at=9),
        event(4, "track", "right", at=8),
    )
    assert found[3] == Root("right", Origin.RESOLVED, parent_conflict=True)
    assert found[4] == Root("right", Origin.RESOLVED)


def test_of_claims_at_the_same_millisecond_the_least_row_id_decides() -> None:
    found = roots(
        event(1, "a"), event(2, "b"), event(4, "track", "b", at=5.9), event(3, "track", "a", at=5.95)
    )
    assert found[4] == Root("a", Origin.RESOLVED, parent_conflict=True)
    assert found[3] == Root("a", Origin.RESOLVED)


def test_events_of_a_job_without_a_claim_do_not_count_against_its_claim() -> None:
    found = roots(event(1, "album"), event(2, "track", at=1), event(3, "track", "album", at=9))
    assert found[2] == Root("album", Origin.RESOLVED)


def test_a_cycle_names_its_members_from_the_least_on_also_for_rows_below_it() -> None:
    found = roots(event(1, "b", "a"), event(2, "a", "c"), event(3, "c", "b"), event(4, "below", "c"))
    assert set(found.values()) == {Root(None, Origin.CYCLE, ("a", "c", "b"))}


def test_a_declaration_counts_only_while_the_top_was_never_seen() -> None:
    child = event(1, "track", "enrich", declared="album")
    assert roots(child)[1] == Root("album", Origin.DECLARED)
    assert roots(child, event(2, "enrich"))[1] == Root("enrich", Origin.RESOLVED)


def test_the_row_itself_declares_before_the_nearest_job_upward() -> None:
    found = roots(
        event(1, "enrich", "gone", declared="far"),
        event(2, "track", "enrich"),
        event(3, "track", "enrich", declared="near"),
        event(4, "part", "track"),
        event(5, None, "enrich", declared="own"),
    )
    assert [found[number].root_job_id for number in (1, 2, 3, 4, 5)] == ["far", "near", "near", "near", "own"]
    assert {root.origin for root in found.values()} == {Origin.DECLARED}


def test_the_earliest_declaration_of_a_job_counts() -> None:
    found = roots(
        event(1, "track", "gone", declared="late", at=9),
        event(2, "track", "gone", declared="early", at=1),
        event(3, "track", "gone"),
    )
    assert [found[number].root_job_id for number in (1, 2, 3)] == ["late", "early", "early"]


def test_an_adopted_job_counts_as_root_until_its_own_event_arrives() -> None:
    child = event(1, "track", "album", declared="other")
    assert roots(child, override(2, "album"))[1] == Root("album", Origin.ADOPTED)
    assert roots(child, override(2, "album"), event(3, "album", "shelf"))[1] == Root("other", Origin.DECLARED)


def test_the_latest_override_about_a_job_counts() -> None:
    child = event(1, "track", "album")
    revoked = override(3, "album", adopted=False)
    assert roots(child, override(2, "album"), revoked)[1] == Root(None, Origin.PENDING)
    assert roots(child, override(2, "album"), revoked, override(4, "album"))[1] == Root(
        "album", Origin.ADOPTED
    )


def test_a_chain_of_a_thousand_jobs_is_followed_to_its_top() -> None:
    chain = [event(1, "job-1"), *(event(n, f"job-{n}", f"job-{n - 1}") for n in range(2, 1001))]
    assert roots(*chain)[1000] == Root("job-1", Origin.RESOLVED)


@given(histories(), st.randoms(use_true_random=False))
def test_neither_order_nor_duplicates_change_the_log(events: list[Event], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = [*events, *random.sample(events, len(events) // 2)]
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(events)


def test_of_two_contents_under_one_id_the_first_counts() -> None:
    assert fold([event(1, "a"), event(1, "b")])[UUID(int=1)].content.job_id == "a"
