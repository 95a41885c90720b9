"""The bench from beginning to end: UPDATE and backfill in turn, each on a fresh copy of the same database."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.servers import durability, settle_disk
from bench_backfill.backfill import Done, commanded_backfill, repair_the_rest
from bench_backfill.oracle import wrong_rows
from bench_backfill.rows import copy_pristine, drop, make_pristine
from bench_backfill.traffic import live_traffic
from bench_backfill.yardstick import plain_update
from llamalog_tools.devstack.postgres import LocalPostgres

Notify = Callable[[str], None]


class Traffic(NamedTuple):
    """How much live traffic there is, and for how long it is timed by itself after each UPDATE."""

    batches_per_second: float
    quiet_seconds: float


class Measured(NamedTuple):
    """All that was measured.

    Attributes:
        quiet: seconds of each batch of live traffic while nothing else went on.
        live: seconds of each batch of live traffic while a backfill was under way.
        wrong: rows that differ from the oracle.
    """

    rows: int
    durability: dict[str, str]
    updates: list[float]
    backfills: list[Done]
    quiet: list[float]
    live: list[float]
    wrong: list[str]


async def measure(
    postgres: LocalPostgres, *, rows: int, repeat: int, traffic: Traffic, folder: Path, notify: Notify
) -> Measured:
    """An UPDATE, then as often as requested a backfill under live traffic and another UPDATE.

    Raises:
        BackfillBenchError: a run did not complete.
    """
    notify(f"Making a legacy table of {rows} rows.")
    await make_pristine(postgres.url, rows)
    updates, backfills, wrong = [], [], []
    quiet: list[float] = []
    live: list[float] = []
    updates.append(await _update(postgres, quiet, traffic, folder, notify))
    for _ in range(repeat):
        url = await _copy(postgres, "backfilled")
        with live_traffic(url, traffic.batches_per_second, folder, live):
            done = await commanded_backfill(url)
        await repair_the_rest(url)
        found, differing = await wrong_rows(url)
        notify(f"Backfill: {done.seconds:.1f} s, {found} rows in the end, {len(differing)} wrong.")
        backfills.append(done)
        wrong += differing
        await drop(postgres.url, "backfilled")
        updates.append(await _update(postgres, quiet, traffic, folder, notify))
    return Measured(
        backfills[0].run.scanned, await durability(postgres), updates, backfills, quiet, live, wrong
    )


async def _update(
    postgres: LocalPostgres, quiet: list[float], traffic: Traffic, folder: Path, notify: Notify
) -> float:
    """The plain UPDATE alone; then, on the same copy, live traffic alone."""
    url = await _copy(postgres, "updated")
    seconds = await plain_update(url)
    notify(f"UPDATE: {seconds:.1f} s.")
    await settle_disk(postgres)
    with live_traffic(url, traffic.batches_per_second, folder, quiet):
        await asyncio.sleep(traffic.quiet_seconds)
    await drop(postgres.url, "updated")
    return seconds


async def _copy(postgres: LocalPostgres, name: str) -> str:
    url = await copy_pristine(postgres.url, name)
    await settle_disk(postgres)
    return url
