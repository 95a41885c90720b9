"""The figures of a bench, and the bars that they are held against."""

import json
from collections.abc import Iterator
from statistics import median, quantiles
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench_queries.run import Measured

MAX_TIMES = 3.0
"""The bar: the module takes at most so many times as long as bare SQL, at the median."""

MAX_TAIL = 5.0
"""The bar: the 99th percentile through HTTP takes at most so many times as long as the median."""

MAX_BYTES = 700
"""The bar: bytes a row, with all indexes."""

MARKS = {"timeline of an album": 20, "page of root jobs": 50, "first piece of a tree of 20,000": 100}
"""Milliseconds through HTTP to reach on a quiet machine."""


class Figures(NamedTuple):
    """Of one kind of question; milliseconds."""

    module: float
    bare: float
    ratio: float
    http_p50: float
    http_p99: float

    @property
    def tail(self) -> float:
        """The 99th percentile through HTTP, in medians."""
        return self.http_p99 / self.http_p50


def figures(measured: Measured) -> dict[str, Figures]:
    return {
        kind: Figures(
            module=_ms(median(times.module)),
            bare=_ms(median(times.bare)),
            ratio=round(median(times.module) / median(times.bare), 2),
            http_p50=_ms(median(times.http)),
            http_p99=_ms(quantiles(times.http, n=100)[98]),
        )
        for kind, times in measured.times.items()
    }


def missed(measured: Measured, summary: dict[str, Figures]) -> Iterator[str]:
    for kind, one in summary.items():
        if one.ratio > MAX_TIMES:
            yield f"{kind}: the module takes {one.ratio} times bare SQL; {MAX_TIMES:.0f} are allowed"
        if one.tail > MAX_TAIL:
            yield f"{kind}: the 99th percentile is {one.tail:.1f} medians; {MAX_TAIL:.0f} are allowed"
    size = bytes_a_row(measured)
    if size > MAX_BYTES:
        yield f"{size:.0f} bytes a row; {MAX_BYTES} are allowed"


def bytes_a_row(measured: Measured) -> float:
    return measured.table_bytes + measured.index_bytes


def show(measured: Measured, summary: dict[str, Figures], console: Console) -> None:
    columns = ("question", "module", "bare SQL", "ratio", "HTTP p50", "HTTP p99", "in medians")
    table = Table(*columns, "of HTTP itself", "mark")
    for kind, one in summary.items():
        reached = "reached" if one.http_p50 <= MARKS[kind] else "not reached"
        table.add_row(
            kind,
            f"{one.module} ms",
            f"{one.bare} ms",
            f"{one.ratio:.2f}",
            f"{one.http_p50} ms",
            f"{one.http_p99} ms",
            f"{one.tail:.1f}",
            f"{one.http_p50 - one.module:.1f} ms",
            f"{MARKS[kind]} ms, {reached}",
        )
    console.print(table)
    console.print(
        f"{measured.rows:,} rows, {bytes_a_row(measured):.0f} bytes each (bar: {MAX_BYTES}): "
        f"{measured.table_bytes:.0f} in the table, {measured.index_bytes:.0f} in its indexes."
    )
    console.print(
        f"Ingest by itself: {measured.ingest_rate:,.0f} messages a second; while the queries ran: "
        f"{measured.rate_meanwhile:,.0f}. Durability: {measured.durability}"
    )


def as_json(measured: Measured, summary: dict[str, Figures]) -> str:
    return json.dumps(
        {
            "rows": measured.rows,
            "bytes_a_row": {"table": measured.table_bytes, "indexes": measured.index_bytes},
            "ingest": {"alone": measured.ingest_rate, "meanwhile": measured.rate_meanwhile},
            "durability": measured.durability,
            "figures": {kind: one._asdict() for kind, one in summary.items()},
            "samples": {kind: len(times.module) for kind, times in measured.times.items()},
            "missed": list(missed(measured, summary)),
        },
        indent=2,
    )


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1 if seconds > 0.01 else 2)
