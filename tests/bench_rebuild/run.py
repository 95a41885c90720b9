"""The bench: a small rebuild, compared with the fold; a large one in turn with COPY."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg

from bench.checks import differing_rows, shortened, table_of
from bench.installation import Installation, new_installation
from bench.servers import Servers, durability, settle_disk
from bench_rebuild.live import Baseline, Live, rebuild_under_load
from bench_rebuild.rebuild import Rebuilt, rebuild
from bench_rebuild.topic import Sent, events_of_day, populate_topic
from bench_rebuild.yardstick import Copied, copy_and_index, dump, empty
from llamalog_service.domain.fold import fold
from llamalog_service.postgres.pool import prepare_connection

_SMALLER = 10
"""How many times fewer events the first rebuild has: memory must not grow with them."""

Notify = Callable[[str], None]


class Measured(NamedTuple):
    """The measurements.

    Attributes:
        small: the rebuild of a tenth of the events.
        loaded: rebuilds into the empty table; each between two of `copied`.
        compared: a rebuild beside the full table, of which nothing may differ.
        live: a rebuild beside live traffic; None: not requested.
        wrong: a line for each wrong result.
    """

    sent: Sent
    durability: dict[str, str]
    small: Rebuilt
    loaded: list[Rebuilt]
    copied: list[Copied]
    compared: Rebuilt
    live: Live | None
    wrong: list[str]


async def measure(
    servers: Servers,
    *,
    events: int,
    repeat: int,
    quiet: float | None,
    rate: float | None,
    folder: Path,
    notify: Notify,
) -> Measured:
    """Rebuild `repeat` times, each between two COPYs of the same rows; then beside live traffic.

    Args:
        quiet: seconds to sample live traffic without a rebuild; None: without any live traffic.
        rate: of live traffic, messages a second; None: half of what the consumers can do.

    Raises:
        RebuildBenchError: a rebuild did not come to its end.
        DrainError: a consumer ended, or did not come to its end.
    """
    small, wrong = await _small(servers, events // _SMALLER, folder, notify)
    async with new_installation(servers, "large") as installation:
        notify(f"Sending {events:,} events.")
        sent = await populate_topic(installation, events)
        await settle_disk(servers.postgres)
        first = await rebuild(installation, servers, folder)
        compared = await rebuild(installation, servers, folder)
        notify(f"A first rebuild: {first.seconds:.1f} s; beside the full table: {compared.seconds:.1f} s.")
        wrong += _wrong_comparison(compared)
        rows = folder / "rows.bin"
        if (dumped := await dump(installation.database_url, rows)) != sent.events:
            wrong.append(f"{dumped:,} rows were rebuilt from {sent.events:,} events")
        copied, loaded = [await copy_and_index(installation.database_url, rows, servers)], []
        for _ in range(repeat):
            await empty(installation.database_url, servers)
            loaded.append(await rebuild(installation, servers, folder))
            copied.append(await copy_and_index(installation.database_url, rows, servers))
            notify(f"Rebuild: {loaded[-1].seconds:.1f} s; COPY and indexes: {copied[-1].seconds:.1f} s.")
        wrong += [line for one in loaded for line in _wrong_load(one, first)]
        live = None
        if quiet is not None:
            # COPY leaves no positions with its rows: the consumers would read recorded events again.
            await empty(installation.database_url, servers)
            await rebuild(installation, servers, folder)
            baseline = Baseline(sent.messages, compared.seconds, quiet, rate)
            live = await rebuild_under_load(installation, servers, baseline, folder=folder, notify=notify)
            wrong += _differences_found(live.rebuilt)
    return Measured(sent, await durability(servers.postgres), small, loaded, copied, compared, live, wrong)


async def _small(servers: Servers, events: int, folder: Path, notify: Notify) -> tuple[Rebuilt, list[str]]:
    """A rebuild of few events, compared with the fold."""
    async with new_installation(servers, "small") as installation:
        await populate_topic(installation, events)
        await settle_disk(servers.postgres)
        rebuilt = await rebuild(installation, servers, folder)
        wrong = await _differences_from_fold(installation, events)
    notify(f"{events:,} events: {rebuilt.seconds:.1f} s, {len(wrong)} lines of differences from the fold.")
    return rebuilt, wrong


async def _differences_from_fold(installation: Installation, events: int) -> list[str]:
    connection = await asyncpg.connect(installation.database_url)
    try:
        await prepare_connection(connection)
        table = await table_of(connection)
    finally:
        await connection.close()
    return shortened(differing_rows(fold(events_of_day(events)), table))


def _wrong_comparison(compared: Rebuilt) -> Iterator[str]:
    report = compared.report
    yield from _differences_found(compared)
    if report["live"]["checksum"] != report["rebuilt"]["checksum"]:
        yield f"its checksums differ: {report['live']['checksum']}, {report['rebuilt']['checksum']}"


def _differences_found(compared: Rebuilt) -> Iterator[str]:
    found = compared.report["differences"]
    if compared.report["loaded"] or found["missing"] + found["extra"] + found["different"]:
        yield f"a rebuild beside a table that equals its events finds differences: {found}"


def _wrong_load(loaded: Rebuilt, first: Rebuilt) -> Iterator[str]:
    if not loaded.report["loaded"]:
        yield "a rebuild did not load the empty table"
    checksum, wanted = loaded.report["rebuilt"]["checksum"], first.report["rebuilt"]["checksum"]
    if checksum != wanted:
        yield f"two rebuilds of the same topic have different checksums: {wanted}, {checksum}"
