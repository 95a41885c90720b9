"""`llamalog provenance republish --since`: a moment, the same at every resumption."""

from datetime import UTC, datetime

import pytest
import typer

from llamalog_service.cli.provenance import parse_recorded_since


def test_a_moment_without_a_zone_is_in_utc() -> None:
    assert parse_recorded_since("2026-02-10") == datetime(2026, 2, 10, tzinfo=UTC)


def test_a_moment_keeps_its_zone() -> None:
    assert parse_recorded_since("2026-02-10T01:30:00+01:00") == datetime(2026, 2, 10, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("span", ["2h", "30s", "1w"])
def test_a_time_span_is_refused_since_it_could_not_be_resumed(span: str) -> None:
    with pytest.raises(typer.BadParameter, match="--resume needs the same"):
        parse_recorded_since(span)
