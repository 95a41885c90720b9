"""The benches of delays and of alternatives: what they compute from what they saw."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.backlog import make_backlog
from bench_latency.delays import delays
from bench_latency.report import Figures, Spread
from bench_peers.flat import flat_messages
from bench_peers.outcome import Outcome
from bench_peers.own import COPY, FLOOR, SERVICE
from bench_peers.plot import plot
from bench_peers.report import BEGIN, END, Line, as_json, bars, lines, missed, write, wrong
from bench_peers.run import Measured
from llamalog_schemas.codec import decode_event
from llamalog_schemas.events import row_id
from llamalog_tools.demo.messages import Kind
from llamalog_tools.demo.publish import Played

BACKLOG = make_backlog(20)
CONNECT = "Kafka Connect + Debezium JDBC sink, tuned, warm JVM"


def measured(*outcomes: Outcome) -> Measured:
    durability = {"fsync": "on"}
    return Measured(20, Played(10), [list(outcomes)], [], [1.0, 2.0], [{"service": 0.5}], "Kafka", durability)


def an_outcome(contender: str, seconds: float, itself: float, *differences: str) -> Outcome:
    return Outcome(contender, 1000, seconds, {"itself": itself, "PostgreSQL": 0.01}, list(differences))


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


def test_the_bars_compare_the_service_with_those_that_were_measured() -> None:
    slow = measured(
        an_outcome(SERVICE, 1.0, 0.3),
        an_outcome(FLOOR, 0.5, 0.1),
        an_outcome(COPY, 0.25, 0.0),
        an_outcome(CONNECT, 0.8, 0.2),
    )
    found = {bar.what: (round(bar.value, 2), bar.met) for bar in bars(lines(slow))}
    assert found == {
        "events/s, in I/O floors": (0.5, False),
        "CPU an event, in I/O floors": (2.82, False),
        "events/s, in COPY by 20,000": (0.25, False),
        "events/s, in the best Connect with a warm JVM": (0.8, False),
    }
    assert len(missed(slow)) == 4
    fast = measured(an_outcome(SERVICE, 0.5, 0.1), an_outcome(FLOOR, 0.5, 0.1), an_outcome(CONNECT, 0.5, 0.2))
    assert missed(fast) == []
    assert bars(lines(measured(an_outcome(FLOOR, 0.5, 0.1)))) == []


def test_a_difference_is_reported_with_its_contender() -> None:
    found = measured(an_outcome(SERVICE, 1.0, 0.3, "row 1 is missing"))
    assert list(wrong(found)) == ["this service: row 1 is missing"]
    assert "row 1 is missing" in as_json(found)


def test_a_document_gets_the_table_between_its_marks(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{BEGIN}\nformer\n{END}\nafter\n")
    write(measured(an_outcome(SERVICE, 1.0, 0.3)), document, "peers.svg")
    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "former" not in text
    assert "| **this service** | 1,000 | 1,000 | 300.0 | 10.0 | 0.0 | 310.0 |" in text


def test_the_plot_is_well_formed_and_has_a_longer_bar_for_more() -> None:
    drawn = plot(
        [Line("slow & small", 100, [100], {"itself": 9}), Line(SERVICE, 9000, [9000], {"itself": 8})]
    )
    tags = list(ElementTree.fromstring(drawn).iter())  # noqa: S314
    widths = [float(tag.get("width", "")) for tag in tags if tag.get("height") == "15"]
    assert len(widths) == 4
    assert widths[0] > widths[1] > 0
    assert any(tag.text == "slow & small" for tag in tags)


def test_flat_messages_have_every_row_of_the_fold_once() -> None:
    assert [message.row for message in flat_messages(BACKLOG.rows.values())] == list(BACKLOG.rows)
