"""How the admin UI shows what the log holds."""

from datetime import UTC, datetime, timedelta

import pytest

from llamalog_schemas.events import Category, Status
from llamalog_schemas.provenance import Origin
from llamalog_service.http.web import formatting as words

NOON = datetime(2026, 2, 10, 12, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Kind of Blue", "Kind of Blue"),
        ("line\nbreak\tand tab", "line\nbreak\tand tab"),
        ("bell\x07 escape\x1b", "bell␇ escape␛"),
        ("delete\x7f next line\x85", "delete[U+007F] next line[U+0085]"),
        ("over\u202eridden\u2066", "over[U+202E]ridden[U+2066]"),
        ("שלום עולם", "שלום עולם"),
        ("👩\u200d🎤", "👩\u200d🎤"),
    ],
)
def test_what_would_be_obeyed_is_shown(raw: str, shown: str) -> None:
    assert words.visible(raw) == shown


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (timedelta(milliseconds=400), "now"),
        (timedelta(seconds=4.25), "4.2 s ago"),
        (timedelta(seconds=9.998), "10 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=9), "9 d ago"),
        (timedelta(days=800), "2 y ago"),
        (timedelta(minutes=-5), "in 5 min"),
    ],
)
def test_an_age_is_shown_in_its_largest_fitting_unit(before: timedelta, shown: str) -> None:
    assert words.age(NOON - before, NOON) == shown
    assert words.age((NOON - before).replace(tzinfo=None), NOON) == shown, "a time without a zone is UTC"


def test_a_time_is_exact_for_machines_and_readable_for_people() -> None:
    assert words.exact(NOON) == "2026-02-10T12:00:00.123Z"
    assert words.moment(NOON) == "10 Feb 2026, 12:00:00"
    assert words.exact(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000Z"


def test_every_category_has_a_look_of_its_own_and_a_legacy_word_the_neutral_one() -> None:
    assert len({words.category_tone(category) for category in Category}) == len(Category)
    assert words.category_tone("DELETED") == words.category_tone('"><script>') == "other"
    assert words.status_tone(Status.FAILED) == "failed"
    assert words.status_tone("UNKNOWN") == "other"


def test_every_origin_says_how_the_root_is_known_or_why_it_is_not() -> None:
    for origin in (*Origin, None):
        known, unknown = words.how_known(origin), words.why_unknown(origin)
        is_known = origin in (Origin.ROOT, Origin.RESOLVED, Origin.ADOPTED, Origin.DECLARED)
        assert bool(known) == is_known
        assert unknown if not is_known else True


def test_any_job_can_be_linked_to() -> None:
    job = 'a/../b?c&d=e#f "x" <y> %00 ü'
    assert words.job_link(job) == ("/ui/jobs?job=a%2F..%2Fb%3Fc%26d%3De%23f+%22x%22+%3Cy%3E+%2500+%C3%BC")


def test_empty_parameters_are_left_out_of_an_address() -> None:
    assert words.link("/ui", q="", category=None, rootsOnly=False) == "/ui"
    assert words.link("/ui", rootsOnly=True, since=NOON) == (
        "/ui?rootsOnly=true&since=2026-02-10T12%3A00%3A00.123Z"
    )


def test_a_legacy_entity_type_has_no_page() -> None:
    assert words.has_page("ALBUM", id(0)) is True  # type: ignore[arg-type]
    assert words.has_page("LABEL", id(0)) is False  # type: ignore[arg-type]
    assert words.has_page("ALBUM", None) is False
