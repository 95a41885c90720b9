"""What was measured, as figures with their bars, for people and as JSON."""

import json
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench.run import Measured
from bench.yardstick import BATCH_SIZES

LEAST_RATIO = 0.36
"""Of the rows a second of COPY."""

LEAST_OF_FLOOR = 0.60
"""Of the events a second of the I/O floor."""

MOST_OF_FLOOR = 1.75
"""Times the CPU time of the I/O floor, all processes together."""

MAX_MEMORY = 200_000_000
"""Bytes that the consumer may have resident, for any backlog."""

_MICRO = 1e6


class Figures(NamedTuple):
    """The outcome; rates and costs are medians over the drains, memory is the worst of them."""

    events_per_second: float
    copy_rows_per_second: dict[int, float]
    fastest_batch: int
    ratio: float
    cpu_per_event: dict[str, float]
    copy_cpu_per_row: float
    consumer_memory: int
    migration_consumer_memory: int
    floor_per_second: float
    floor_cpu_per_event: dict[str, float]

    @property
    def rate_of_floor(self) -> float:
        """The events a second, as a share of the floor's."""
        return self.events_per_second / self.floor_per_second

    @property
    def cpu_of_floor(self) -> float:
        """The CPU time of all processes, in times the floor's."""
        return sum(self.cpu_per_event.values()) / sum(self.floor_cpu_per_event.values())

    def missed(self) -> Iterator[str]:
        """A sentence for every bar that was missed, with by how much."""
        if self.ratio < LEAST_RATIO:
            short = 1 - self.ratio / LEAST_RATIO
            yield f"The ratio to COPY is {self.ratio:.3f}; {LEAST_RATIO} is required: {short:.0%} short."
        if self.rate_of_floor < LEAST_OF_FLOOR:
            yield (
                f"The events a second are {self.rate_of_floor:.2f} of the floor's; "
                f"{LEAST_OF_FLOOR} is required."
            )
        if self.cpu_of_floor > MOST_OF_FLOOR:
            yield f"The CPU time is {self.cpu_of_floor:.2f} times the floor's; {MOST_OF_FLOOR} is allowed."
        if self.consumer_memory > MAX_MEMORY:
            yield (
                f"The consumer took {_megabytes(self.consumer_memory)}; at most {_megabytes(MAX_MEMORY)} is "
                f"allowed: {_megabytes(self.consumer_memory - MAX_MEMORY)} too much."
            )


def figures(measured: Measured) -> Figures:
    """The figures of a bench, per valid event, which is per row of the table."""
    rows = measured.played.events
    rates = {
        batch: median(rows / one.seconds for one in measured.copied if one.batch == batch)
        for batch in BATCH_SIZES
    }
    fastest = max(rates, key=rates.__getitem__)
    events_per_second = median(rows / one.settled for one in measured.drained)
    return Figures(
        events_per_second=events_per_second,
        copy_rows_per_second=rates,
        fastest_batch=fastest,
        ratio=events_per_second / rates[fastest],
        cpu_per_event={
            name: median(one.cpu[name] for one in measured.drained) / rows * _MICRO
            for name in measured.drained[0].cpu
        },
        copy_cpu_per_row=median(one.postgres_cpu for one in measured.copied if one.batch == fastest)
        / rows
        * _MICRO,
        consumer_memory=max(one.consumer_memory for one in measured.drained),
        migration_consumer_memory=max(one.migration_consumer_memory for one in measured.drained),
        floor_per_second=median(rows / one.seconds for one in measured.floored),
        floor_cpu_per_event={
            name: median(one.cpu[name] for one in measured.floored) / rows * _MICRO
            for name in measured.floored[0].cpu
        },
    )


def show(measured: Measured, summary: Figures, console: Console) -> None:
    """Print the figures as a table, and what they rest on."""
    table = Table(title="The provenance consumer against COPY and the I/O floor", title_justify="left")
    table.add_column("")
    table.add_column("median", justify="right")
    table.add_column("of", justify="right")
    for name, value, spread in _lines(measured, summary):
        table.add_row(name, value, spread)
    console.print(table)
    settings = ", ".join(f"{name} {value}" for name, value in measured.durability.items())
    console.print(
        f"{measured.kafka}; PostgreSQL with {settings}. Events are valid ones, each counted once: the rows "
        "that COPY writes. Time runs from the consumer's log line `reading`, just before its first fetch, "
        "until its last offset is committed, the commands are consumed, no run is open, the outbox is empty.",
        soft_wrap=True,
    )


def _lines(measured: Measured, summary: Figures) -> Iterator[tuple[str, str, str]]:
    rows = measured.played.events
    yield (
        "events/s",
        f"{summary.events_per_second:,.0f}",
        _each(rows / one.settled for one in measured.drained),
    )
    for batch, rate in summary.copy_rows_per_second.items():
        each = _each(rows / one.seconds for one in measured.copied if one.batch == batch)
        yield f"COPY rows/s, {batch:,} a batch", f"{rate:,.0f}", each
    each = "  ".join(f"{ratio:.3f}" for ratio in _ratios_by_turn(measured, summary))
    yield f"ratio (bar: at least {LEAST_RATIO})", f"{summary.ratio:.3f}", each
    each = _each(rows / one.seconds for one in measured.floored)
    yield "I/O floor, events/s", f"{summary.floor_per_second:,.0f}", each
    yield f"events/s in floors (bar: at least {LEAST_OF_FLOOR})", f"{summary.rate_of_floor:.2f}", ""
    yield f"CPU in floors (bar: at most {MOST_OF_FLOOR})", f"{summary.cpu_of_floor:.2f}", ""
    yield "seconds until the last row is committed", *_seconds(one.recorded for one in measured.drained)
    yield "… the last offset", *_seconds(one.committed for one in measured.drained)
    yield "… and no command is open", *_seconds(one.settled for one in measured.drained)
    for name, cost in summary.cpu_per_event.items():
        each = _each(one.cpu[name] / rows * _MICRO for one in measured.drained)
        yield f"CPU µs an event: {name}", f"{cost:.1f}", each
    for name, cost in summary.floor_cpu_per_event.items():
        each = _each(one.cpu[name] / rows * _MICRO for one in measured.floored)
        yield f"CPU µs an event of the floor: {name}", f"{cost:.1f}", each
    yield "CPU µs a row: PostgreSQL under COPY", f"{summary.copy_cpu_per_row:.1f}", ""
    each = _each(one.consumer_memory / 1e6 for one in measured.drained)
    yield f"peak memory, consumer (bar: {_megabytes(MAX_MEMORY)})", _megabytes(summary.consumer_memory), each
    yield "peak memory, migration consumer", _megabytes(summary.migration_consumer_memory), ""
    yield "load of the machine", f"{median(measured.loads):.1f}", _each_load(measured.loads)
    played, found = measured.played, measured.found
    yield "messages", f"{played.messages:,}", f"{played.late:,} late"
    yield "rows", *_counts(one.rows for one in found)
    yield "duplicates", f"{played.duplicates:,}", ""
    yield "dead letters", *_counts(one.dead_letters for one in found)
    yield "backfill runs", *_counts(one.runs for one in found)
    yield "rows corrected", *_counts(one.corrected_rows for one in found)
    yield "provenance records out", *_counts(one.provenance_records for one in found)


def _ratios_by_turn(measured: Measured, summary: Figures) -> Iterator[float]:
    """Each drain against the COPYs right before and after it, by the batch size that is fastest."""
    seconds = [one.seconds for one in measured.copied if one.batch == summary.fastest_batch]
    for drained, before, after in zip(measured.drained, seconds, seconds[1:], strict=False):
        yield (before + after) / 2 / drained.settled


def as_json(measured: Measured, summary: Figures) -> str:
    """Everything, for machines."""
    content: dict[str, Any] = {
        "figures": summary._asdict(),
        "missed": list(summary.missed()),
        "albums": measured.albums,
        "messages": measured.played.messages,
        "played": measured.played._asdict(),
        "kafka": measured.kafka,
        "durability": measured.durability,
        "copied": [one._asdict() for one in measured.copied],
        "drained": [one._asdict() for one in measured.drained],
        "found": [one._asdict() for one in measured.found],
        "floored": [one._asdict() for one in measured.floored],
        "loads": measured.loads,
        "differences": [*measured.wrong, *(line for one in measured.found for line in one.differences)],
    }
    return json.dumps(content, indent=2)


def _each(values: Iterator[float]) -> str:
    return "  ".join(f"{value:,.0f}" for value in values)


def _each_load(loads: Iterable[float]) -> str:
    return "  ".join(f"{load:.1f}" for load in loads)


def _counts(values: Iterator[int]) -> tuple[str, str]:
    every = list(values)
    return f"{median(every):,.0f}", "" if len(set(every)) == 1 else _each(iter(every))


def _seconds(values: Iterator[float]) -> tuple[str, str]:
    every = list(values)
    return f"{median(every):.2f}", "  ".join(f"{value:.2f}" for value in every)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
