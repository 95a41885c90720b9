"""The sample day: its events, their order, and that it is the same day every time."""

import time
import tracemalloc
from collections import Counter
from datetime import timedelta
from itertools import islice, pairwise
from uuid import UUID

import pytest

from llamalog_schemas.codec import decode_event, encode, encode_event_binary
from llamalog_schemas.events import Category, EntityCreated, EntityEvent, EntityFailed, EntityType, Status
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.fold import fold
from llamalog_tools.demo.albums import load_albums
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.dice import DAY_BEGINS

ALBUMS = 60


@pytest.fixture(scope="module")
def day() -> list[EntityEvent]:
    return list(generate_day(ALBUMS, seed=1))


def test_the_same_seed_gives_the_same_bytes(day: list[EntityEvent]) -> None:
    again = list(generate_day(ALBUMS, seed=1))

    assert [encode(event) for event in again] == [encode(event) for event in day]


def test_another_seed_gives_another_day(day: list[EntityEvent]) -> None:
    other = {event.id for event in generate_day(ALBUMS, seed=2)}

    assert other.isdisjoint(event.id for event in day)


def test_every_event_reads_back_equal_in_both_encodings(day: list[EntityEvent]) -> None:
    for event in day:
        assert decode_event(encode(event)) == event
        assert decode_event(*encode_event_binary(event)) == event


def test_ids_and_times_rise_within_one_day(day: list[EntityEvent]) -> None:
    ids = [UUID(event.id) for event in day]
    times = [event.time for event in day]

    assert all(earlier < later for earlier, later in pairwise(ids))
    assert all(earlier < later for earlier, later in pairwise(times))
    assert all(one.version == 7 for one in ids)
    assert times[0] >= DAY_BEGINS
    assert times[-1] < DAY_BEGINS + timedelta(days=1)


def test_ten_thousand_albums_fit_into_the_day(day: list[EntityEvent]) -> None:
    per_album = (day[-1].time - DAY_BEGINS) / ALBUMS

    assert per_album * 10_000 < timedelta(days=1)


@pytest.mark.parametrize("seed", range(5))
def test_twelve_albums_are_enough_for_everything_that_happens(seed: int) -> None:
    events = list(generate_day(12, seed))

    assert {event.category for event in events} == set(Category)
    assert {event.data.operation for event in events} >= {
        "album:created",
        "artist:created:album",
        "artist:created:enrichment",
        "artist:linked:enrichment",
        "track:created:enrichment",
        "enrichment:album",
        "check:album-enrichment",
        "cache:album-cover-art",
        "cache:artist-image",
        "discogs:search-artist",
        "musicbrainz:search-releases",
        "spotify:sync-new-releases",
        "admin_correction",
    }


def test_the_first_albums_are_those_of_the_data_file() -> None:
    created = [event for event in generate_day(30, seed=1) if event.data.operation == "album:created"]

    titles = {event.data.metadata["title"] for event in created if event.data.metadata}
    assert titles == {album.title for album in load_albums()[:30]}
    assert not any("edition" in (event.data.metadata or {}) for event in created)


def test_an_albums_tracks_have_their_place_and_duration() -> None:
    album = load_albums()[0]
    tracks = [event.data for event in generate_day(1, seed=1) if event.data.entity_type is EntityType.TRACK]

    created = [data.metadata for data in tracks if data.operation == "track:created:enrichment"]
    assert created == [
        {
            "title": track.title,
            "trackNumber": track.number,
            "discNumber": track.disc,
            "durationMs": track.duration_seconds * 1000,
            "albumTitle": album.title,
        }
        for track in album.tracks
    ]


def test_an_artist_is_created_once_and_linked_afterwards(day: list[EntityEvent]) -> None:
    mentioned: dict[str, list[tuple[Category, UUID | None]]] = {}
    for event in day:
        if event.data.operation.startswith("artist:") and not isinstance(event, EntityFailed):
            name = (event.data.metadata or {})["name"]
            mentioned.setdefault(name, []).append((event.category, event.data.entity_id))

    for (first, created_id), *later in mentioned.values():
        assert first is Category.CREATED
        assert all(mention == (Category.LINKED, created_id) for mention in later)
    assert any(len(mentions) > 1 for mentions in mentioned.values())


def test_further_editions_repeat_the_facts_with_new_entities() -> None:
    facts = load_albums()
    created = [event for event in generate_day(len(facts) + 1, seed=1) if isinstance(event, EntityCreated)]

    editions = [
        event
        for event in created
        if event.data.entity_type is EntityType.ALBUM
        and (event.data.metadata or {})["title"] == facts[0].title
    ]
    assert [(event.data.metadata or {}).get("edition", 1) for event in editions] == [1, 2]
    ids = [event.data.entity_id for event in created]
    assert len(set(ids)) == len(ids)


def test_an_album_without_artist_data_is_a_failure_about_no_entity(day: list[EntityEvent]) -> None:
    without = [event for event in day if event.data.status is Status.NO_DATA_AVAILABLE]

    assert without
    for event in without:
        assert isinstance(event, EntityFailed)
        assert event.data.entity_id is None
        assert event.data.album_id is not None


def test_compilations_have_no_artist(day: list[EntityEvent]) -> None:
    assert any(album.artists == ("Various Artists",) for album in load_albums()[:ALBUMS])
    assert not any((event.data.metadata or {}).get("name") == "Various Artists" for event in day)


def test_no_event_precedes_its_parent(day: list[EntityEvent]) -> None:
    seen: set[str | None] = {None}
    for event in day:
        assert event.data.parent_job_id in seen
        seen.add(event.data.job_id)


def test_every_root_is_known_and_what_is_declared_is_true(day: list[EntityEvent]) -> None:
    rows = fold(day).values()

    origins = Counter(row.root.origin for row in rows)
    assert set(origins) == {Origin.ROOT, Origin.RESOLVED, Origin.UNTRACKED}
    assert 0 < origins[Origin.UNTRACKED] < 0.03 * len(day)
    declaring = [row for row in rows if row.content.declared_root_job_id]
    assert 0.02 < len(declaring) / len(day) < 0.2
    assert all(row.content.declared_root_job_id == row.root.root_job_id for row in declaring)


def test_chains_are_four_jobs_deep(day: list[EntityEvent]) -> None:
    parents = {event.data.job_id: event.data.parent_job_id for event in day if event.data.job_id}

    def depth(job: str) -> int:
        parent = parents[job]
        return 1 if parent is None else 1 + depth(parent)

    assert max(depth(job) for job in parents) == 4


def test_an_album_takes_some_thirty_events() -> None:
    events = sum(1 for _ in generate_day(len(load_albums()), seed=1))

    assert 30 <= events / len(load_albums()) <= 45


@pytest.mark.slow
def test_a_long_day_is_generated_in_little_memory_at_tens_of_thousands_of_events_a_second() -> None:
    many = 50_000
    list(generate_day(1, seed=1))
    began = time.process_time()
    created = sum(1 for _ in islice(generate_day(10_000, seed=1), many))
    took = time.process_time() - began

    tracemalloc.start()
    for _ in islice(generate_day(10_000, seed=1), many // 5):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert created == many
    assert took < 5
    assert peak < 1_000_000


def test_no_albums_are_a_day_without_events() -> None:
    assert list(generate_day(0, seed=1)) == []
