"""What was measured, as a Markdown table with the bars below it, and as JSON."""

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from bench_peers.connect import BEST, DEFAULTS
from bench_peers.own import COPY, FLOOR, SERVICE
from bench_peers.rentgen import RUNS_ONLY, WITH_DATASETS
from bench_peers.run import Measured
from bench_peers.tutorial import NAME as TUTORIAL

BEGIN: Final = "<!-- written by `make bench-peers` -->"
END: Final = "<!-- end of the peers -->"

_COLD, _WARM = "cold JVM", "warm JVM"
_ROWS_AS_GIVEN: Final = (
    "writes rows that come flat and with their roots: validates nothing, finds no roots, publishes nothing, "
    "stops at a duplicate or a bad message; positions every 60 s, apart from the rows"
)
DIFFERENCES: Final = {
    SERVICE: "validates, finds roots, corrects them after late parents, publishes provenance, dead-letters "
    "bad messages, one row an event after any crash",
    FLOOR: "fetch, COPY of prepared rows, prepared records, commit: decides nothing",
    COPY: "prepared rows into the table: no topic, no positions, nothing published",
    f"{BEST.name}, {_WARM}": _ROWS_AS_GIVEN,
    f"{BEST.name}, {_COLD}": "likewise",
    f"{DEFAULTS.name}, {_WARM}": "likewise",
    f"{DEFAULTS.name}, {_COLD}": "likewise",
    TUTORIAL: "a root from the parent at hand, never corrected; acknowledges before it has written, so that "
    "a crash or an error loses a message",
    RUNS_ONLY: "other events (OpenLineage) and tables; finds no root of a chain, publishes nothing; "
    "acknowledges before it has written",
    WITH_DATASETS: "likewise",
}
"""What each contender does, or does not do beside the service; in the order of the table."""

_SERVERS: Final = ("PostgreSQL", "Kafka")
_MICRO: Final = 1e6


class Line(NamedTuple):
    """A contender's figures, medians over the rounds.

    Attributes:
        rates: events a second, of every round.
        cpu: µs an event: the contender's own processes, PostgreSQL, Kafka.
    """

    contender: str
    rate: float
    rates: list[float]
    cpu: dict[str, float]

    @property
    def all_cpu(self) -> float:
        """Of all processes together."""
        return sum(self.cpu.values())


class Bar(NamedTuple):
    """A bar: the service's figure beside another's, as a ratio."""

    what: str
    value: float
    bar: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the service is on the right side of it."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def __str__(self) -> str:
        side = "at least" if self.at_least else "at most"
        return f"{self.what}: {self.value:.2f} ({side} {self.bar:.2f}), {'met' if self.met else 'missed'}"


def lines(measured: Measured) -> list[Line]:
    """The figures of every contender that was measured."""
    found = []
    for contender in DIFFERENCES:
        outcomes = [one for turn in measured.outcomes for one in turn if one.contender == contender]
        if not outcomes:
            continue
        own = [
            sum(seconds for name, seconds in one.cpu.items() if name not in _SERVERS) / one.events
            for one in outcomes
        ]
        servers = {
            name: median(one.cpu.get(name, 0.0) / one.events for one in outcomes) * _MICRO
            for name in _SERVERS
        }
        rates = [one.events / one.seconds for one in outcomes]
        found.append(Line(contender, median(rates), rates, {"itself": median(own) * _MICRO, **servers}))
    return found


def bars(figures: list[Line]) -> list[Bar]:
    """The bars of the service, of those for which both sides were measured."""
    by_name = {line.contender: line for line in figures}
    service = by_name.get(SERVICE)
    if service is None:
        return []
    found = []
    if floor := by_name.get(FLOOR):
        found.append(Bar("events/s, in I/O floors", service.rate / floor.rate, 0.60, True))
        found.append(Bar("CPU an event, in I/O floors", service.all_cpu / floor.all_cpu, 1.75, False))
    if copied := by_name.get(COPY):
        found.append(Bar("events/s, in COPY by 20,000", service.rate / copied.rate, 0.36, True))
    for state, bar in ((_WARM, 0.90), (_COLD, 1.60)):
        rates = [by_name[name].rate for name in by_name if name.endswith(state)]
        if rates:
            found.append(
                Bar(f"events/s, in the best Connect with a {state}", service.rate / max(rates), bar, True)
            )
    return found


def markdown(measured: Measured, plot: str | None) -> str:
    """The table, the plot, the bars and the circumstances."""
    figures = lines(measured)
    text = [
        "| | events/s | of the rounds | CPU µs an event: itself | PostgreSQL | Kafka | sum |",
        "|---|---|---|---|---|---|---|",
        *(_row(line) for line in figures),
        "",
        *([f"![events a second, and CPU time of an event]({plot})", ""] if plot else []),
        "| | what it does, or does not do |",
        "|---|---|",
        *(f"| {line.contender} | {DIFFERENCES[line.contender]} |" for line in figures),
        "",
        *(f"- {bar}" for bar in bars(figures)),
        "",
        circumstances(measured),
        *("\n" + reason for reason in measured.missing),
    ]
    return "\n".join(text)


def _row(line: Line) -> str:
    name = f"**{line.contender}**" if line.contender == SERVICE else line.contender
    each = " · ".join(f"{rate:,.0f}" for rate in line.rates)
    own = f"{line.cpu['itself']:.1f}" if line.cpu["itself"] else "–"
    costs = f"{own} | {line.cpu['PostgreSQL']:.1f} | {line.cpu['Kafka']:.1f} | {line.all_cpu:.1f}"
    return f"| {name} | {line.rate:,.0f} | {each} | {costs} |"


def circumstances(measured: Measured) -> str:
    """What the figures rest on, as one paragraph."""
    played = measured.played
    others = [cores for turn in measured.others for cores in turn.values()]
    loads = " · ".join(f"{one:.1f}" for one in measured.loads)
    settings = ", ".join(f"{name} {value}" for name, value in measured.durability.items())
    turns = "one round" if len(measured.outcomes) == 1 else f"medians of {len(measured.outcomes)} rounds"
    return (
        f"{date.today():%Y-%m-%d}, {turns}; {played.events:,} events for all but the tutorial's service and "
        f"data-rentgen, which get fewer; {played.duplicates:,} duplicates and {played.bad:,} bad messages "
        f"more for the service and the floor. {measured.kafka}, PostgreSQL with {settings}. Load {loads}; "
        f"other programs kept {median(others):.2f} of {os.cpu_count()} cores busy at the median "
        f"({min(others):.2f} to {max(others):.2f})."
    )


def write(measured: Measured, document: Path, plot: str) -> None:
    """Put the text between the marks of a document."""
    before, rest = document.read_text().split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n\n{markdown(measured, plot)}\n\n{END}{after}")


def wrong(measured: Measured) -> Iterator[str]:
    """Every difference that was found, with its contender."""
    for turn in measured.outcomes:
        for one in turn:
            yield from (f"{one.contender}: {line}" for line in one.wrong)


def missed(measured: Measured) -> list[str]:
    """A sentence for every bar that was missed."""
    return [f"{bar}." for bar in bars(lines(measured)) if not bar.met]


def as_json(measured: Measured) -> str:
    """Everything, for machines."""
    content: dict[str, Any] = {
        "figures": {line.contender: {"rate": line.rate, "cpu": line.cpu} for line in lines(measured)},
        "bars": [bar._asdict() | {"met": bar.met} for bar in bars(lines(measured))],
        "missed": missed(measured),
        "wrong": list(wrong(measured)),
        "missing": measured.missing,
        "albums": measured.albums,
        "played": measured.played._asdict(),
        "rounds": [[one._asdict() for one in turn] for turn in measured.outcomes],
        "loads": measured.loads,
        "others": measured.others,
        "kafka": measured.kafka,
        "durability": measured.durability,
    }
    return json.dumps(content, indent=2)
