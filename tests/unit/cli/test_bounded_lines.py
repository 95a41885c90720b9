"""Texts of any length and kind, as one event or message may bring them, are lines of bounded length."""

from datetime import UTC, datetime

import pytest

from llamalog_service.cli.dead_letter_view import dead_letter_in_brief
from llamalog_service.cli.overrides import _print_warnings
from llamalog_service.kafka.dead_letters import Coordinates, DeadLetterPosition, StoredDeadLetter
from llamalog_service.queries.jobs import CurrentOverride, JobState

LONG = "\x1b[2J" + "x" * 200_000


def test_the_reason_of_an_earlier_adoption_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    before = CurrentOverride(
        adopted=True, reason=LONG, requested_by=LONG, overridden_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    _print_warnings(JobState(seen_since=None, is_named=True, override=before), adopts=True)
    printed = capsys.readouterr().out
    assert "It was adopted already, by" in printed
    assert "\x1b" not in printed
    assert len(printed) < 1000


def test_a_dead_letter_of_another_program_is_two_lines_of_bounded_length() -> None:
    letter = StoredDeadLetter(
        position=DeadLetterPosition(0, 1),
        kept_at=datetime(2026, 1, 1, tzinfo=UTC),
        came_from=Coordinates(LONG, 0, 1),
        reason=LONG,
        sentence=LONG,
        producer=LONG,
        truncated=None,
        key=LONG.encode(),
        value=None,
        headers=(),
    )
    text = dead_letter_in_brief(letter).plain
    assert "\x1b" not in text
    assert len(text) < 1500
