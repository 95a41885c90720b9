"""The bench from beginning to end: a small rebuild, held against the fold; a large one in turn with COPY."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg

from bench.checks import differing_rows, shortened, table_of
from bench.installation import Installation, new_installation
from bench.servers import Servers, durability, settle_disk
from bench_rebuild.live import Live, Usual, rebuild_under_load
from bench_rebuild.rebuild import Rebuilt, rebuild
from bench_rebuild.topic import Sent, events_of_day, fill_topic
from bench_rebuild.yardstick import Copied, copy_and_index, dump, empty
from llamalog_service.domain.fold import fold
from llamalog_service.postgres.pool import prepare_connection

_SMALLER = 10
"""So many times fewer events are rebuilt first: memory must not grow with them."""

Say = Callable[[str], None]


class Measured(NamedTuple):
    """All that was measured.

    Attributes:
        small: the rebuild of a tenth of the events.
        filled: rebuilds into the empty table; each between two of `copied`.
        compared: a rebuild beside the full table, of which nothing may differ.
        live: a rebuild beside live traffic; None: it was not asked for.
        wrong: what is not as it should be.
    """

    sent: Sent
    durability: dict[str, str]
    small: Rebuilt
    filled: list[Rebuilt]
    copied: list[Copied]
    compared: Rebuilt
    live: Live | None
    wrong: list[str]


async def measure(
    servers: Servers, *, events: int, repeat: int, quiet: float | None, folder: Path, say: Say
) -> Measured:
    """Rebuild as often as asked, each time between two COPYs of the same rows; then beside live traffic.

    Args:
        quiet: seconds to look at live traffic without a rebuild; None: without any live traffic.

    Raises:
        RebuildBenchError: a rebuild did not come to its end.
        DrainError: a consumer ended, or did not come to its end.
    """
    small, wrong = await _small(servers, events // _SMALLER, folder, say)
    async with new_installation(servers, "large") as installation:
        say(f"Sending {events:,} events.")
        sent = await fill_topic(installation, events)
        await settle_disk(servers.postgres)
        first = await rebuild(installation, servers, folder)
        compared = await rebuild(installation, servers, folder)
        say(f"A first rebuild: {first.seconds:.1f} s; beside the full table: {compared.seconds:.1f} s.")
        wrong += _wrong_comparison(compared)
        rows = folder / "rows.bin"
        if (dumped := await dump(installation.database_url, rows)) != sent.events:
            wrong.append(f"{dumped:,} rows were rebuilt from {sent.events:,} events")
        copied, filled = [await copy_and_index(installation.database_url, rows, servers)], []
        for _ in range(repeat):
            await empty(installation.database_url, servers)
            filled.append(await rebuild(installation, servers, folder))
            copied.append(await copy_and_index(installation.database_url, rows, servers))
            say(f"Rebuild: {filled[-1].seconds:.1f} s; COPY and indexes: {copied[-1].seconds:.1f} s.")
        wrong += [line for one in filled for line in _wrong_filling(one, first)]
        live = None
        if quiet is not None:
            # COPY leaves no positions with its rows: the consumers would begin with what is long recorded.
            await empty(installation.database_url, servers)
            await rebuild(installation, servers, folder)
            usual = Usual(sent.messages, compared.seconds, quiet)
            live = await rebuild_under_load(installation, servers, usual, folder=folder, say=say)
            wrong += _differences_found(live.rebuilt)
    return Measured(sent, await durability(servers.postgres), small, filled, copied, compared, live, wrong)


async def _small(servers: Servers, events: int, folder: Path, say: Say) -> tuple[Rebuilt, list[str]]:
    """Few enough for the fold to say what every row must be."""
    async with new_installation(servers, "small") as installation:
        await fill_topic(installation, events)
        await settle_disk(servers.postgres)
        rebuilt = await rebuild(installation, servers, folder)
        wrong = await _differences_from_fold(installation, events)
    say(f"{events:,} events: {rebuilt.seconds:.1f} s, {len(wrong)} lines of differences from the fold.")
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
        yield f"a rebuild beside a table that is as its events say finds differences: {found}"


def _wrong_filling(filled: Rebuilt, first: Rebuilt) -> Iterator[str]:
    if not filled.report["loaded"]:
        yield "a rebuild did not fill the empty table"
    checksum, wanted = filled.report["rebuilt"]["checksum"], first.report["rebuilt"]["checksum"]
    if checksum != wanted:
        yield f"two rebuilds of the same topic have different checksums: {wanted}, {checksum}"
