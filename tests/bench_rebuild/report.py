"""The figures of a bench, and their bars."""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from statistics import median, quantiles
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench_rebuild.live import Live, TrafficSample
from bench_rebuild.run import Measured

LEAST_RATIO = 0.4
"""The bar: a rebuild into an empty database takes at most 2.5 times as long as COPY and the same indexes."""

MAX_MEMORY = 300_000_000
"""Bytes that a process of the rebuild may have resident, however many events there are."""

MAX_GROWTH = 1.25
"""So many times the memory of a tenth of the events a process may take."""

LEAST_RECORDED = 0.95
"""Of the live messages that are sent during a rebuild so many have to be recorded during it."""

_MICRO = 1e6


class Figures(NamedTuple):
    """Medians over the rebuilds; memory is the worst of them, of one process and of all, in bytes."""

    rebuild_seconds: float
    copy_seconds: float
    ratio: float
    events_per_second: float
    compare_seconds: float
    cpu_per_event: dict[str, float]
    copy_cpu_per_row: float
    memory: int
    memory_of_all: int
    memory_of_a_tenth: int
    live: Live | None

    def missed(self) -> Iterator[str]:
        """A sentence for every bar that was missed."""
        if self.ratio < LEAST_RATIO:
            yield f"the ratio to COPY and the same indexes is {self.ratio:.3f}; {LEAST_RATIO} is required"
        if self.memory > MAX_MEMORY:
            yield f"a process took {_megabytes(self.memory)}; {_megabytes(MAX_MEMORY)} are allowed"
        if self.memory > MAX_GROWTH * self.memory_of_a_tenth:
            yield (
                f"memory grows with the events: {_megabytes(self.memory_of_a_tenth)} for a tenth of them, "
                f"{_megabytes(self.memory)} for all"
            )
        if self.live is not None and self.live.meanwhile.recorded < LEAST_RECORDED * self.live.meanwhile.sent:
            sent, recorded = self.live.meanwhile.sent, self.live.meanwhile.recorded
            yield f"live ingest does not keep up: {recorded:,.0f} of {sent:,.0f} messages a second"


def figures(measured: Measured) -> Figures:
    """The ratio of a rebuild to the mean of the COPYs before and after it, on the same machine."""
    events = measured.sent.events
    seconds = [one.seconds for one in measured.loaded]
    return Figures(
        rebuild_seconds=median(seconds),
        copy_seconds=median(one.seconds for one in measured.copied),
        ratio=median(ratios(measured)),
        events_per_second=events / median(seconds),
        compare_seconds=measured.compared.seconds,
        cpu_per_event={
            name: median(one.cpu[name] for one in measured.loaded) / events * _MICRO
            for name in measured.loaded[0].cpu
        },
        copy_cpu_per_row=median(one.postgres_cpu for one in measured.copied) / events * _MICRO,
        memory=max(one.memory for one in [*measured.loaded, measured.compared]),
        memory_of_all=max(one.memory_of_all for one in [*measured.loaded, measured.compared]),
        memory_of_a_tenth=measured.small.memory,
        live=measured.live,
    )


def ratios(measured: Measured) -> list[float]:
    """Of each rebuild."""
    copies = [one.seconds for one in measured.copied]
    between = [(one + other) / 2 for one, other in pairwise(copies)]
    return [copy / one.seconds for copy, one in zip(between, measured.loaded, strict=True)]


def show(measured: Measured, summary: Figures, console: Console) -> None:
    """Print the figures as a table, and what they rest on."""
    table = Table("what", "median", "all rounds")
    copies, loads = measured.copied, measured.loaded
    table.add_row(
        "rebuild into an empty database",
        f"{summary.rebuild_seconds:.1f} s",
        _listed(one.seconds for one in loads),
    )
    table.add_row(
        "COPY and the same indexes", f"{summary.copy_seconds:.1f} s", _listed(one.seconds for one in copies)
    )
    table.add_row("… the COPY of it", "", _listed(one.copying for one in copies))
    each = ", ".join(f"{ratio:.3f}" for ratio in ratios(measured))
    table.add_row("ratio", f"{summary.ratio:.3f}", f"{each}; bar: {LEAST_RATIO}")
    table.add_row(
        "events a second", f"{summary.events_per_second:,.0f}", f"{measured.sent.messages:,} messages"
    )
    table.add_row("rebuild and comparison, table full", f"{summary.compare_seconds:.1f} s", "")
    for name, cost in summary.cpu_per_event.items():
        table.add_row(f"CPU µs an event: {name}", f"{cost:.1f}", "")
    table.add_row("CPU µs a row: PostgreSQL under COPY", f"{summary.copy_cpu_per_row:.1f}", "")
    of_all = f"of all: {_megabytes(summary.memory_of_all)}; bar: {_megabytes(MAX_MEMORY)}"
    table.add_row("peak memory of a process", _megabytes(summary.memory), of_all)
    table.add_row("peak memory, a tenth of the events", _megabytes(summary.memory_of_a_tenth), "")
    if summary.live is not None:
        _add_live(table, summary.live)
    console.print(table)
    console.print(f"Durability: {measured.durability}")


def _add_live(table: Table, live: Live) -> None:
    for name, watched in (("without a rebuild", live.quiet), ("during one", live.meanwhile)):
        rates = f"{watched.recorded:,.0f} of {watched.sent:,.0f} messages/s"
        table.add_row(f"live ingest {name}", rates, f"visible after: {_visibility(watched)}")
    table.add_row("rebuild beside live ingest", f"{live.rebuilt.seconds:.1f} s", "")


def _visibility(watched: TrafficSample) -> str:
    hundredths = quantiles(watched.delays, n=100)
    return f"p50 {hundredths[49]:.2f} s, p99 {hundredths[98]:.2f} s"


def _listed(seconds: Iterable[float]) -> str:
    return ", ".join(f"{one:.1f}" for one in seconds)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def as_json(measured: Measured, summary: Figures) -> str:
    """Everything, for machines."""
    return json.dumps(
        {
            "figures": summary._replace(live=None)._asdict(),
            "missed": list(summary.missed()),
            "sent": measured.sent._asdict(),
            "durability": measured.durability,
            "loaded": [one._asdict() for one in measured.loaded],
            "copied": [one._asdict() for one in measured.copied],
            "compared": measured.compared._asdict(),
            "small": measured.small._asdict(),
            "live": _live_as_json(measured.live),
            "wrong": measured.wrong,
        },
        indent=2,
    )


def _live_as_json(live: Live | None) -> dict[str, Any] | None:
    if live is None:
        return None
    watched = {
        name: {"sent": one.sent, "recorded": one.recorded, "visible": _visibility(one)}
        for name, one in (("quiet", live.quiet), ("meanwhile", live.meanwhile))
    }
    return {"rate": live.rate, "rebuilt": live.rebuilt._asdict(), **watched}
