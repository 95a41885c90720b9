"""Times as people type them: ISO 8601, and ages where they are allowed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from llamalog_service.domain.timestamps import naive_utc, parse_timestamp

NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)
PARIS = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-02-10", datetime(2026, 2, 10, tzinfo=UTC)),
        (" 2026-02-10 10:30 ", datetime(2026, 2, 10, 10, 30, tzinfo=UTC)),
        ("2026-02-10T10:30:00+01:00", datetime(2026, 2, 10, 10, 30, tzinfo=PARIS)),
    ],
)
def test_a_time_keeps_its_zone_and_is_utc_without_one(text: str, time: datetime) -> None:
    parsed = parse_timestamp(text)
    assert (parsed, parsed.utcoffset()) == (time, time.utcoffset())
    assert naive_utc(parsed) == time.astimezone(UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("text", "age"),
    [("30s", timedelta(seconds=30)), ("15 min", timedelta(minutes=15)), ("2H", timedelta(hours=2))],
)
def test_an_age_is_a_time_where_it_is_allowed(text: str, age: timedelta) -> None:
    assert parse_timestamp(text, ages=True, now=NOW) == NOW - age
    with pytest.raises(ValueError, match="Invalid isoformat"):
        parse_timestamp(text)


@pytest.mark.parametrize("text", ["yesterday", "2h ago", "999999w", "0001-01-01T00:00+01:00"])
def test_other_texts_and_times_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|out of range"):
        parse_timestamp(text, ages=True, now=NOW)
