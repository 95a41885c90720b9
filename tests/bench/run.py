"""The bench from beginning to end: COPY and drain in turn, so that a noisy machine disturbs both alike."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.backlog import Backlog, fill, make_backlog
from bench.checks import Found, inspect
from bench.drain import Drained, drain
from bench.installation import new_installation
from bench.servers import Servers, durability, settle_disk
from bench.yardstick import BATCH_SIZES, Copied, Records, copy_all, copy_records
from harness.databases import new_database
from llamalog_service.adoption.migration_runner import migrate
from llamalog_tools.demo.publish import Played

Notify = Callable[[str], None]


class Measured(NamedTuple):
    """All that was measured; `found` and `drained` run in step."""

    albums: int
    played: Played
    kafka: str
    durability: dict[str, str]
    copied: list[Copied]
    drained: list[Drained]
    found: list[Found]


async def measure(servers: Servers, *, albums: int, repeat: int, logs: Path, notify: Notify) -> Measured:
    """COPY, then as often as requested a drain and COPY again.

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
    records = copy_records(backlog.rows.values())
    copied, drained, found = [], [], []
    async with new_database(servers.postgres.url) as yardstick:
        await migrate(yardstick)
        copied += await _copies(servers, yardstick, records, notify)
        for turn in range(1, repeat + 1):
            played, one, left = await _measure_drain(
                servers, backlog, f"drain-{turn}", logs=logs, notify=notify
            )
            drained.append(one)
            found.append(left)
            copied += await _copies(servers, yardstick, records, notify)
    return Measured(
        albums, played, servers.kafka.name, await durability(servers.postgres), copied, drained, found
    )


async def _measure_drain(
    servers: Servers,
    backlog: Backlog,
    name: str,
    *,
    logs: Path,
    notify: Notify,
) -> tuple[Played, Drained, Found]:
    """Fill a new installation, have it drained, and inspect what came of it."""
    async with new_installation(servers, name) as installation:
        played = await fill(backlog, installation)
        notify(f"{name}: {played.messages} messages wait.")
        await settle_disk(servers.postgres)
        drained = await drain(installation, played.messages, servers.pids(), logs)
        notify(f"{name}: settled after {drained.settled:.2f} s. Comparing with the fold.")
        return played, drained, await inspect(installation, backlog)


async def _copies(servers: Servers, database_url: str, records: Records, notify: Notify) -> list[Copied]:
    copied = []
    for batch in BATCH_SIZES:
        await settle_disk(servers.postgres)
        copied.append(await copy_all(database_url, records, batch, servers.postgres.pid))
    rates = ", ".join(f"{len(records) / one.seconds:,.0f} rows/s by {one.batch:,}" for one in copied)
    notify(f"COPY: {rates}.")
    return copied
