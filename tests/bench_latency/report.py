"""What was measured, as figures with their bars, for people and as JSON."""

import json
from collections.abc import Iterable, Iterator
from statistics import quantiles
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from bench_latency.run import Measured

ROW_P99: Final = 0.250
"""Seconds from the sending of an event to the commit of its row, at most, for 99 of 100 events."""

PROVENANCE_P99: Final = 0.400
"""Seconds to the arrival of its provenance record, likewise."""

MAX_LATE: Final = 0.100
"""Seconds after which a message that is due has to have left: else the rate was not a steady one."""

_MICRO: Final = 1e6


class Spread(NamedTuple):
    """Seconds: the median, the 99th percentile, the longest."""

    p50: float
    p99: float
    max: float


class Figures(NamedTuple):
    """The outcome.

    Attributes:
        rate: messages a second that were sent.
        measured: events that were timed.
        row, provenance: from the sending of an event to the commit of its row, and to its record's arrival.
        cpu_per_event: µs, by process.
    """

    rate: float
    measured: int
    row: Spread
    provenance: Spread
    cpu_per_event: dict[str, float]

    def missed(self, late: float) -> Iterator[str]:
        """A sentence for every bar that was missed."""
        for what, spread, bar in (
            ("the commit of its row", self.row, ROW_P99),
            ("its provenance record", self.provenance, PROVENANCE_P99),
        ):
            if spread.p99 > bar:
                yield (
                    f"From an event's sending to {what} the 99th percentile is {spread.p99 * 1000:.0f} ms; "
                    f"{bar * 1000:.0f} ms are allowed."
                )
        if late > MAX_LATE:
            yield (
                f"The rate was not steady: a message left {late * 1000:.0f} ms after it was due; "
                f"{MAX_LATE * 1000:.0f} ms are allowed."
            )


def figures(measured: Measured) -> Figures:
    """The figures of a bench."""
    return Figures(
        rate=measured.rate,
        measured=len(measured.delays),
        row=_spread(delay.row for delay in measured.delays),
        provenance=_spread(delay.provenance for delay in measured.delays),
        cpu_per_event={
            name: seconds / measured.played.events * _MICRO for name, seconds in measured.cpu.items()
        },
    )


def _spread(values: Iterable[float]) -> Spread:
    every = sorted(values)
    percentiles = quantiles(every, n=100)
    return Spread(percentiles[49], percentiles[98], every[-1])


def show(measured: Measured, summary: Figures, console: Console) -> None:
    """Print the figures as a table, and what they rest on."""
    table = Table(title="From an event's sending to its row and its provenance record", title_justify="left")
    for heading in ("", "p50", "p99", "max", "bar of p99"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, spread, bar in (
        ("row committed", summary.row, ROW_P99),
        ("provenance record at a consumer", summary.provenance, PROVENANCE_P99),
    ):
        verdict = "met" if spread.p99 <= bar else "missed"
        table.add_row(name, *map(_ms, spread), f"{_ms(bar)}, {verdict}")
    console.print(table)
    for line in _lines(measured, summary):
        console.print(line, soft_wrap=True)


def _lines(measured: Measured, summary: Figures) -> Iterator[str]:
    played = measured.played
    of = "" if measured.drained is None else f", half of a drain's {measured.drained:,.0f}"
    yield (
        f"{played.messages:,} messages at {summary.rate:,.0f} a second{of}; {summary.measured:,} events "
        f"timed after the warm-up. {played.late / played.events:.1%} of the events late parents, "
        f"{played.duplicates:,} duplicates, {played.bad} bad; the latest message left {_ms(measured.late)} "
        "after it was due."
    )
    yield f"The second with the longest delays: {_worst_second(measured)}."
    found = measured.found
    yield (
        f"{found.rows:,} rows, {found.corrected_rows:,} of them corrected in {found.runs:,} runs; "
        f"{found.provenance_records:,} provenance records. A commit's time is PostgreSQL's, taken before it "
        f"waits for the disk: {_ms(measured.flush)} at the mean. {measured.bounded} commits are known from "
        "above only."
    )
    costs = ", ".join(f"{name} {cost:.1f}" for name, cost in summary.cpu_per_event.items())
    yield f"CPU µs an event: {costs}."
    loads = " and ".join(f"{one:.1f}" for one in measured.loads)
    yield f"Load before and after: {loads}; other programs kept {measured.others:.2f} cores busy."
    settings = ", ".join(f"{name} {value}" for name, value in measured.durability.items())
    yield f"{measured.kafka}; PostgreSQL with {settings}."


def _worst_second(measured: Measured) -> str:
    """The second of sending that has the longest median delay to the record, with that median."""
    by_second: dict[int, list[float]] = {}
    for delay in measured.delays:
        by_second.setdefault(int(delay.sent), []).append(delay.provenance)
    medians = {second: sorted(values)[len(values) // 2] for second, values in by_second.items()}
    worst = max(medians, key=medians.__getitem__)
    return f"number {worst + 1}, {_ms(medians[worst])} to the record at its median"


def as_json(measured: Measured, summary: Figures) -> str:
    """Everything but the single delays, for machines."""
    content: dict[str, Any] = {
        "figures": {
            **summary._asdict(),
            "row": summary.row._asdict(),
            "provenance": summary.provenance._asdict(),
        },
        "missed": list(summary.missed(measured.late)),
        "drained": measured.drained,
        "late": measured.late,
        "played": measured.played._asdict(),
        "bounded": measured.bounded,
        "found": measured.found._asdict(),
        "cpu": measured.cpu,
        "loads": measured.loads,
        "others": measured.others,
        "flush": measured.flush,
        "kafka": measured.kafka,
        "durability": measured.durability,
    }
    return json.dumps(content, indent=2)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
