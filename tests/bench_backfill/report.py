"""The figures of a bench, and the bar that they are held against."""

import json
from collections.abc import Iterator, Sequence
from statistics import median, quantiles
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench_backfill.run import Measured

MAX_UPDATES = 2.0
"""The bar: a whole commanded run takes at most so many times one plain UPDATE of the same rows."""


class Figures(NamedTuple):
    """Medians over the rounds; latencies of live batches in milliseconds."""

    update_seconds: float
    backfill_seconds: float
    ratio: float
    rows_per_second: float
    quiet_p50: float
    quiet_p99: float
    live_p50: float
    live_p99: float

    def missed(self) -> Iterator[str]:
        if self.ratio > MAX_UPDATES:
            yield f"the backfill takes {self.ratio:.2f} plain UPDATEs; {MAX_UPDATES:.0f} are allowed"


def figures(measured: Measured) -> Figures:
    """A run is held against the mean of the UPDATEs before and after it: all saw the same machine."""
    between = [(one + other) / 2 for one, other in zip(measured.updates, measured.updates[1:], strict=False)]
    runs = [done.seconds for done in measured.backfills]
    return Figures(
        update_seconds=median(measured.updates),
        backfill_seconds=median(runs),
        ratio=median(run / update for run, update in zip(runs, between, strict=True)),
        rows_per_second=measured.rows / median(runs),
        quiet_p50=_percentile(measured.quiet, 50),
        quiet_p99=_percentile(measured.quiet, 99),
        live_p50=_percentile(measured.live, 50),
        live_p99=_percentile(measured.live, 99),
    )


def _percentile(seconds: Sequence[float], percent: int) -> float:
    return round(1000 * quantiles(seconds, n=100)[percent - 1], 1)


def show(measured: Measured, summary: Figures, console: Console) -> None:
    table = Table("what", "median", "all rounds")
    table.add_row("plain UPDATE", f"{summary.update_seconds:.1f} s", _listed(measured.updates))
    runs = [done.seconds for done in measured.backfills]
    table.add_row("whole backfill", f"{summary.backfill_seconds:.1f} s", _listed(runs))
    table.add_row("ratio", f"{summary.ratio:.2f}", f"bar: {MAX_UPDATES:.0f}")
    table.add_row("rows a second", f"{summary.rows_per_second:.0f}", f"{measured.rows} rows")
    table.add_row("live batch, p50", f"{summary.live_p50} ms", f"{summary.quiet_p50} ms without a backfill")
    table.add_row("live batch, p99", f"{summary.live_p99} ms", f"{summary.quiet_p99} ms without a backfill")
    corrected = [done.run.report.set_after_looking_again for done in measured.backfills if done.run.report]
    table.add_row("live rows corrected at the end", "", ", ".join(map(str, corrected)))
    console.print(table)
    console.print(f"Durability: {measured.durability}")


def _listed(seconds: Sequence[float]) -> str:
    return ", ".join(f"{one:.1f}" for one in seconds)


def as_json(measured: Measured, summary: Figures) -> str:
    runs: list[Any] = [
        {"seconds": done.seconds, "set": done.run.set, "batches": done.run.batches}
        for done in measured.backfills
    ]
    return json.dumps(
        {
            "rows": measured.rows,
            "durability": measured.durability,
            "updates": measured.updates,
            "backfills": runs,
            "figures": summary._asdict(),
            "live_batches": {"quiet": len(measured.quiet), "live": len(measured.live)},
            "wrong": measured.wrong,
            "missed": list(summary.missed()),
        },
        indent=2,
    )
