"""The fast path of one batch against the fold."""

from uuid import UUID

from hypothesis import given, settings
from msgspec.structs import replace

from histories import NOON, event, histories
from llamalog_schemas.events import EntityEvent, Event, RootAdopted, is_root_override
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.fold import fold
from llamalog_service.domain.lineage import Root, Statement, cycles_below
from llamalog_service.domain.roots import UNSEEN, JobFacts, Resolution, jobs_named, resolve
from llamalog_service.domain.rows import RowContent, content_of


def contents(events: list[Event]) -> list[RowContent]:
    return [content_of(e) for e in events if isinstance(e, EntityEvent)]


@settings(max_examples=500)
@given(histories())
def test_a_batch_that_is_the_whole_history_resolves_as_the_fold_does(events: list[Event]) -> None:
    rows = contents(events)
    facts = {}
    for job in jobs_named(rows):
        overrides = [e for e in events if is_root_override(e) and e.data.job_id == job]
        latest = max(overrides, key=lambda e: (e.time, e.id), default=None)
        adopted = isinstance(latest, RootAdopted)
        facts[job] = replace(UNSEEN, resolution=Resolution(job, Origin.ADOPTED)) if adopted else UNSEEN
    resolved = resolve(rows, facts)
    expected = fold(events)
    assert {row.id: root for row, root in zip(rows, resolved.roots, strict=True)} == {
        row_id: row.root for row_id, row in expected.items()
    }


def test_a_job_of_the_batch_that_was_never_seen_is_changed_and_one_repeated_as_before_is_not() -> None:
    rows = contents([event(1, "track", "album")])
    facts = {"track": UNSEEN, "album": UNSEEN}
    first = resolve(rows, facts)
    assert first.changed == {"track"}
    again = resolve(rows, facts | first.jobs)
    assert again.changed == set()


def test_the_facts_used_of_jobs_outside_the_batch_are_returned() -> None:
    album = JobFacts(True, None, None, Resolution("album", Origin.RESOLVED))
    resolved = resolve(contents([event(1, "track", "album")]), {"track": UNSEEN, "album": album})
    assert resolved.relied_on == {"album": album}


def test_a_root_of_the_facts_that_gets_a_parent_in_the_batch_is_followed_further() -> None:
    enrich = JobFacts(True, None, None, Resolution("album", Origin.RESOLVED))
    album = JobFacts(True, None, None, Resolution("album", Origin.RESOLVED))
    rows = contents([event(5, "track", "enrich"), event(6, "album", "shelf"), event(7, "shelf")])
    resolved = resolve(rows, {"track": UNSEEN, "enrich": enrich, "album": album, "shelf": UNSEEN})
    assert [root.root_job_id for root in resolved.roots] == ["shelf", "shelf", "shelf"]
    assert resolved.changed == {"track", "album", "shelf"}


def test_a_claim_recorded_earlier_counts_although_no_row_of_the_batch_names_its_parent() -> None:
    claim = Statement(NOON.replace(tzinfo=None), UUID(int=1), "album")
    track = JobFacts(True, claim, None, Resolution("shelf", Origin.RESOLVED))
    later_claim = contents([event(2, "track", "other")])
    resolved = resolve(later_claim, {"track": track, "other": UNSEEN})
    assert resolved.roots == [Root("shelf", Origin.RESOLVED, parent_conflict=True)]


def test_every_job_on_or_below_a_cycle_is_given_its_members() -> None:
    assert cycles_below({"b": "c", "c": "b", "x": "y", "y": "c", "own": "own"}) == {
        "b": ("b", "c"),
        "c": ("b", "c"),
        "x": ("b", "c"),
        "y": ("b", "c"),
        "own": ("own",),
    }
