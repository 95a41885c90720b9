"""A service as in a tutorial, on few messages: at a few hundred a second more would say the same."""

import sys
from pathlib import Path
from typing import NamedTuple

import asyncpg
from msgspec.structs import astuple

from bench.checks import differing_rows, shortened, table_of
from bench.costs import cpu_seconds, cpu_spent
from bench.installation import new_installation
from bench.servers import Servers, settle_disk
from bench_peers.flat import all_recorded, content_messages, send_flat, without_producers
from bench_peers.held import go_on, held
from bench_peers.outcome import Outcome
from harness.environments import without_settings
from llamalog_service.domain.fold import FoldedRow
from llamalog_service.postgres.pool import prepare_connection

NAME = "a service as in a tutorial"
_SLOWEST = 20


class Tutorial(NamedTuple):
    """What its rounds need."""

    servers: Servers
    rows: list[FoldedRow]
    folder: Path


async def measure_tutorial(tutorial: Tutorial, name: str) -> list[Outcome]:
    """Drain the messages; the content of the rows is compared, not their roots, which it finds by chance."""
    servers = tutorial.servers
    messages = content_messages(tutorial.rows)
    async with new_installation(servers, name) as installation:
        events, published = installation.topics.entity_events, installation.topics.provenance
        group = f"{installation.prefix}tutorial"
        command = [
            *(sys.executable, "-m", "bench_peers.tutorial_service", installation.bootstrap),
            *(events.name, group, published.name, installation.database_url),
        ]
        env = without_settings() | {"PYTHONPATH": str(Path(__file__).parents[1])}
        database = await asyncpg.connect(installation.database_url)
        try:
            await prepare_connection(database)
            async with held(
                NAME, command, group, installation, log=tutorial.folder / f"{name}.log", env=env
            ) as process:
                last = await send_flat(installation.bootstrap, events.name, messages)
                await settle_disk(servers.postgres)
                pids = {"itself": process.pid, **servers.pids()}
                before, began = cpu_seconds(pids), go_on(process)
                ended = await all_recorded(database, last, process, 60 + len(messages) / _SLOWEST)
                spent = cpu_spent(before, cpu_seconds(pids))
                table = await table_of(database)
        finally:
            await database.close()
    expected = without_producers(tutorial.rows)
    # Its roots are not compared: each is given the one that it should have.
    found = {
        row_id: row._replace(root=astuple(expected[row_id].root)) if row_id in expected else row
        for row_id, row in table.items()
    }
    wrong = shortened(differing_rows(expected, found))
    return [Outcome(NAME, len(messages), ended - began, spent, wrong)]
