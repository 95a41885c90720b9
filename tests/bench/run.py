"""The bench from beginning to end: COPY, floor and drain in turn, so that noise disturbs all alike."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import asyncpg

from bench.backlog import Backlog, fill, make_backlog
from bench.checks import Found, differing_rows, inspect, shortened, table_of
from bench.drain import Drained, drain
from bench.floor import Floored, Output, prepared_output, run_floor
from bench.installation import Installation, new_installation
from bench.servers import Servers, durability, settle_disk
from bench.yardstick import BATCH_SIZES, Copied, Records, copy_all
from harness.databases import new_database
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.postgres.pool import prepare_connection
from llamalog_tools.demo.publish import Played

Notify = Callable[[str], None]


class Measured(NamedTuple):
    """All that was measured; `found`, `drained` and `floored` run in step.

    Attributes:
        loads: the machine's load of the last minute, at the beginning and after every drain.
        wrong: differences of the rows that the floor wrote from the fold.
    """

    albums: int
    played: Played
    kafka: str
    durability: dict[str, str]
    copied: list[Copied]
    drained: list[Drained]
    found: list[Found]
    floored: list[Floored]
    loads: list[float]
    wrong: list[str]


async def measure(servers: Servers, *, albums: int, repeat: int, logs: Path, notify: Notify) -> Measured:
    """COPY, then as often as requested the I/O floor, a drain and COPY again.

    Args:
        albums: the size of the backlog.
        repeat: how many drains.
        logs: the folder for the consumers' logs.
        notify: called with how far it is.

    Raises:
        DrainError: a drain did not come to an end.
    """
    notify(f"Making the backlog of {albums} albums.")
    backlog = make_backlog(albums)
    output = prepared_output(backlog.rows.values())
    records = output.rows
    copied, drained, found, floored, loads, wrong = [], [], [], [], [os.getloadavg()[0]], []
    async with new_database(servers.postgres.url) as yardstick:
        await migrate(yardstick)
        copied += await _copies(servers, yardstick, records, notify)
        for turn in range(1, repeat + 1):
            floor, differing = await measure_floor(servers, backlog, output, f"floor-{turn}", notify=notify)
            floored.append(floor)
            wrong += differing
            played, one, left = await measure_drain(
                servers, backlog, f"drain-{turn}", logs=logs, notify=notify
            )
            drained.append(one)
            found.append(left)
            loads.append(os.getloadavg()[0])
            copied += await _copies(servers, yardstick, records, notify)
    return Measured(
        albums,
        played,
        servers.kafka.name,
        await durability(servers.postgres),
        copied,
        drained,
        found,
        floored,
        loads,
        wrong,
    )


async def measure_floor(
    servers: Servers, backlog: Backlog, output: Output, name: str, *, notify: Notify
) -> tuple[Floored, list[str]]:
    """Fill a new installation, run the floor on it, and compare the rows with the fold."""
    async with new_installation(servers, name) as installation:
        played = await fill(backlog, installation)
        await settle_disk(servers.postgres)
        floored = await run_floor(installation, output, played.messages, servers.pids())
        notify(f"{name}: {played.events / floored.seconds:,.0f} events/s.")
        connection = await asyncpg.connect(installation.database_url)
        try:
            await prepare_connection(connection)
            table = await table_of(connection)
        finally:
            await connection.close()
        return floored, shortened(differing_rows(backlog.rows, table))


async def measure_drain(
    servers: Servers,
    backlog: Backlog,
    name: str,
    *,
    logs: Path,
    notify: Notify,
) -> tuple[Played, Drained, Found]:
    """Fill a new installation, have it drained, and inspect what came of it."""
    async with new_installation(servers, name) as installation:
        return await drain_backlog(servers, installation, backlog, logs=logs, notify=notify)


async def drain_backlog(
    servers: Servers,
    installation: Installation,
    backlog: Backlog,
    *,
    logs: Path,
    notify: Notify,
    beside: int = 0,
) -> tuple[Played, Drained, Found]:
    """Fill an installation's topic, have it drained, and inspect what came of it.

    Args:
        beside: rows that the table has already, which the backlog does not name.
    """
    name = installation.prefix.removesuffix(".")
    played = await fill(backlog, installation)
    notify(f"{name}: {played.messages} messages wait.")
    await settle_disk(servers.postgres)
    drained = await drain(installation, played.messages, servers.pids(), logs)
    notify(f"{name}: settled after {drained.settled:.2f} s. Comparing with the fold.")
    return played, drained, await inspect(installation, backlog, beside=beside)


async def _copies(servers: Servers, database_url: str, records: Records, notify: Notify) -> list[Copied]:
    copied = []
    for batch in BATCH_SIZES:
        await settle_disk(servers.postgres)
        copied.append(await copy_all(database_url, records, batch, servers.postgres.pid))
    rates = ", ".join(f"{len(records) / one.seconds:,.0f} rows/s by {one.batch:,}" for one in copied)
    notify(f"COPY: {rates}.")
    return copied
