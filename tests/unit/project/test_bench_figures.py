"""The bench of delays: what it computes from what it saw."""

import pytest

from bench.backlog import make_backlog
from bench_latency.delays import delays
from bench_latency.report import Figures, Spread
from llamalog_schemas.codec import decode_event
from llamalog_schemas.events import row_id
from llamalog_tools.demo.messages import Kind

BACKLOG = make_backlog(20)


def test_each_event_is_timed_once_from_its_own_sending() -> None:
    sent = [1000 + number / 10 for number in range(len(BACKLOG.messages))]
    committed = dict.fromkeys(BACKLOG.rows, 5000.0)
    arrived = dict.fromkeys(BACKLOG.rows, 6000.0)
    found = list(delays(BACKLOG.messages, sent, committed, arrived, skipped=5.0))
    kinds = [message.kind for message in BACKLOG.messages]
    assert Kind.DUPLICATE in kinds
    assert len(found) == kinds[50:].count(Kind.EVENT)
    at = next(number for number in range(50, len(kinds)) if kinds[number] is Kind.EVENT)
    assert found[0].row == 5000 - sent[at]
    assert found[0].provenance == 6000 - sent[at]
    assert found[0].sent == pytest.approx(sent[at] - 1005)


def test_an_event_without_a_row_is_left_to_the_comparison_with_the_fold() -> None:
    sent = [0.0] * len(BACKLOG.messages)
    first = next(message for message in BACKLOG.messages if message.kind is Kind.EVENT)
    lost = row_id(decode_event(first.value, first.headers))
    times = {row: 1.0 for row in BACKLOG.rows if row != lost}
    assert len(list(delays(BACKLOG.messages, sent, times, times, 0.0))) == len(BACKLOG.rows) - 1


@pytest.mark.parametrize(
    ("row", "provenance", "late", "misses"),
    [(0.2, 0.3, 0.01, 0), (0.26, 0.3, 0.01, 1), (0.2, 0.41, 0.01, 1), (0.2, 0.3, 0.2, 1)],
)
def test_a_delay_above_its_bar_or_an_unsteady_rate_is_a_miss(
    row: float, provenance: float, late: float, misses: int
) -> None:
    figures = Figures(100.0, 10, Spread(0.1, row, 1.0), Spread(0.1, provenance, 1.0), {})
    assert len(list(figures.missed(late))) == misses
