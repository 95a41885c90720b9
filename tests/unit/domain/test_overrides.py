"""A new override counts with any clocks, or is none at all."""

from datetime import UTC, datetime, timedelta

import pytest

from llamalog_schemas import RootAdopted, RootAdoptionRevoked, decode_event, encode
from llamalog_service.domain.overrides import OverrideInvalidError, new_override
from llamalog_service.domain.rows import utc_milliseconds

NOW = datetime(2026, 2, 10, 12, 0, 0, 123_456, tzinfo=UTC)


def overridden_at(latest: datetime | None) -> datetime:
    override = new_override(
        RootAdoptionRevoked,
        "job",
        reason="a test",
        source="/tests",
        requested_by="tests",
        now=NOW,
        latest=latest,
    )
    assert decode_event(encode(override)) == override
    assert override.source == "/tests"
    return utc_milliseconds(override.time)


def test_an_override_is_of_now() -> None:
    assert overridden_at(None) == utc_milliseconds(NOW)
    assert overridden_at(utc_milliseconds(NOW - timedelta(days=1))) == utc_milliseconds(NOW)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(milliseconds=1), timedelta(days=400)])
def test_an_override_follows_the_one_that_it_replaces_although_our_clock_runs_behind(
    ahead: timedelta,
) -> None:
    latest = utc_milliseconds(NOW + ahead)
    assert overridden_at(latest) == latest + timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("job", "reason", "why"),
    [("", "why not", "length >= 1"), ("j" * 101, "why not", "length <= 100"), ("a\0b", "why not", "NUL")],
)
def test_what_the_contract_refuses_is_no_override(job: str, reason: str, why: str) -> None:
    with pytest.raises(OverrideInvalidError, match=why):
        new_override(
            RootAdopted, job, reason=reason, source="/tests", requested_by="tests", now=NOW, latest=None
        )


def test_an_override_needs_a_reason() -> None:
    with pytest.raises(OverrideInvalidError, match="no reason"):
        new_override(
            RootAdopted, "job", reason=" ", source="/tests", requested_by="tests", now=NOW, latest=None
        )
