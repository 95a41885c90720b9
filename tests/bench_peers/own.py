"""The service itself, the I/O floor and COPY, as contenders like the others."""

from pathlib import Path

from bench.backlog import Backlog
from bench.floor import Output
from bench.run import Notify, measure_drain, measure_floor
from bench.servers import Servers, settle_disk
from bench.yardstick import copy_all
from bench_peers.outcome import Outcome
from harness.databases import new_database
from llamalog_service.adoption.migration_runner import migrate

COPIED_AT_ONCE = 20_000
SERVICE = "this service"
FLOOR = "the I/O floor"
COPY = "COPY by 20,000"


async def measure_service(
    servers: Servers, backlog: Backlog, logs: Path, notify: Notify, name: str
) -> list[Outcome]:
    """A drain by both consumers, with its checks."""
    played, drained, found = await measure_drain(servers, backlog, name, logs=logs, notify=notify)
    cpu = {
        "itself": drained.cpu["consumer"],
        "migration consumer": drained.cpu["migration-consumer"],
        **{server: drained.cpu[server] for server in servers.pids()},
    }
    return [Outcome(SERVICE, played.events, drained.settled, cpu, found.differences)]


async def measure_the_floor(
    servers: Servers, backlog: Backlog, output: Output, notify: Notify, name: str
) -> list[Outcome]:
    """A pass of the floor over the same messages."""
    floored, wrong = await measure_floor(servers, backlog, output, name, notify=notify)
    cpu = {"itself": floored.cpu["floor"], **{server: floored.cpu[server] for server in servers.pids()}}
    return [Outcome(FLOOR, len(backlog.rows), floored.seconds, cpu, wrong)]


async def measure_copy(servers: Servers, output: Output) -> list[Outcome]:
    """A COPY of the prepared rows into an empty table; it counts what it wrote by itself."""
    async with new_database(servers.postgres.url) as database_url:
        await migrate(database_url)
        await settle_disk(servers.postgres)
        copied = await copy_all(database_url, output.rows, COPIED_AT_ONCE, servers.postgres.pid)
    return [Outcome(COPY, len(output.rows), copied.seconds, {"PostgreSQL": copied.postgres_cpu}, [])]
