"""`llamalog backfill`: an operator's terminal beside a migration consumer."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from harness.commands import llamalog_here
from harness.environments import environment_of
from harness.legacy_rows import families, origins, write_as_another
from harness.service import ServiceProcess, running
from harness.started_commands import Ended, StartedCommand, started
from harness.waiting import TIMEOUT, eventually
from llamalog_service.settings import Settings

FAMILIES = 40
FAMILIES_FOR_MINUTES = 400
"""At two rows a second: the run is not at its end when the last of an operator's commands comes."""
BY_ORIGIN = {"ROOT": 40, "RESOLVED": 80, "PENDING": 40, "UNTRACKED": 40}
ADOPTED = {"ROOT": 40, "RESOLVED": 80, "ADOPTED": 40, "UNTRACKED": 40}
UNLOOKED = {None: 200}


class Terminal:
    """Where an operator types."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder

    async def backfill(self, *words: str) -> Ended:
        return await self.llamalog("backfill", *words)

    async def llamalog(self, *words: str) -> Ended:
        """Run it to its end, in this process."""
        return await llamalog_here(*words, environment=self.settings.as_environment())

    async def following(self, run: str) -> StartedCommand:
        """Start to watch a run, in a process of its own; it has shown the run's state."""
        environment = environment_of(self.settings)
        command = await started("backfill", "watch", run, environment=environment, folder=self.folder)
        assert command.process.stderr is not None
        assert await asyncio.wait_for(command.process.stderr.readline(), TIMEOUT)
        return command

    async def request(self, *words: str) -> str:
        """Request a run; its id."""
        started = await self.backfill("start", *words, "--json")
        assert started.code == 0, started.err
        run: str = started.json["run"]
        return run

    async def shown(self, run: str) -> Any:
        shown = await self.backfill("show", run, "--json")
        assert shown.code == 0, shown.err
        return shown.json


async def comes_to(pool: asyncpg.Pool, run: str, status: str) -> None:
    async def is_there() -> bool:
        found = await pool.fetchval("SELECT status FROM backfill_runs WHERE id = $1", UUID(run))
        return bool(found == status)

    await eventually(is_there)


@pytest.fixture
def terminal(settings: Settings, tmp_path: Path) -> Terminal:
    """Of an installation whose sweep is too seldom to do a backfill's work."""
    seldom = {"sweep_seconds": 3600.0, "full_sweep_seconds": 3600.0}
    return Terminal(settings.model_copy(update=seldom), tmp_path)


@pytest.fixture
async def migration_consumer(terminal: Terminal) -> AsyncIterator[ServiceProcess]:
    async with running("migration-consumer", terminal.settings, terminal.folder) as process:
        yield process


async def test_a_backfill_is_requested_watched_and_listed(
    terminal: Terminal, migration_consumer: ServiceProcess, pool: asyncpg.Pool
) -> None:
    await write_as_another(pool, families(FAMILIES))

    refused = await terminal.backfill("start", "--expect", "roots=41,pending=40", "--watch")
    assert refused.code == 3
    assert "failed" in refused.out
    assert await origins(pool) == UNLOOKED

    preview = await terminal.backfill("start", "--dry-run", "--watch", "--json")
    assert preview.code == 0
    *_, end = preview.json_lines
    assert end["report"]["plan"]["pending"] == 40
    assert await origins(pool) == UNLOOKED

    done = await terminal.backfill(
        "start", "--expect", "roots=40,pending=40,rows=200", "--requested-by", "ada", "--watch"
    )
    assert done.code == 0, done.err
    assert "completed" in done.out
    assert "ada" in done.out
    assert await origins(pool) == BY_ORIGIN

    adopted = await terminal.backfill("start", "--missing-parent", "adopt", "--watch", "--json")
    first, *_, end = adopted.json_lines
    assert first["requestedAction"] == "start"
    assert (end["status"], end["set"], end["report"]["adoptedJobsFound"]) == ("completed", 40, 40)
    assert await origins(pool) == ADOPTED

    listed = (await terminal.backfill("list", "--json")).json
    assert [run["status"] for run in listed] == ["completed", "completed", "completed", "failed"]
    assert listed[0]["run"] == first["run"]
    assert listed[1]["request"]["requestedBy"] == "ada"
    assert (await terminal.backfill("list", "--open", "--json")).json == []

    late = await terminal.backfill("pause", first["run"])
    assert late.code == 1
    assert "has ended, it is completed. Nothing was requested." in late.err


async def test_a_backfill_is_paused_resumed_and_cancelled(
    terminal: Terminal, migration_consumer: ServiceProcess, pool: asyncpg.Pool
) -> None:
    rows = 5 * FAMILIES_FOR_MINUTES
    await write_as_another(pool, families(FAMILIES_FOR_MINUTES))
    run = await terminal.request("--batch-size", "5", "--rate", "2")
    following = await terminal.following(run)
    await comes_to(pool, run, "running")

    assert (await terminal.backfill("pause", run)).code == 0
    await comes_to(pool, run, "paused")
    at_rest = await terminal.shown(run)
    await asyncio.sleep(1.5)
    assert (await terminal.shown(run))["scanned"] == at_rest["scanned"] < rows

    left = await following.stop(signal.SIGINT)
    assert left.code == 130
    assert "the run continues" in left.err

    assert (await terminal.backfill("resume", run)).code == 0
    await comes_to(pool, run, "running")

    assert (await terminal.backfill("cancel", run)).code == 0
    watched = await terminal.backfill("watch", run)
    assert watched.code == 4
    assert "cancelled" in watched.out
    set_rows = (await terminal.shown(run))["set"]
    assert (await origins(pool))[None] == rows - set_rows > 0


async def test_an_unknown_run_is_reported_as_such(terminal: Terminal) -> None:
    run = str(uuid4())
    shown, watched, started = await asyncio.gather(
        *(terminal.backfill(command, run) for command in ("show", "watch", "pause"))
    )
    assert shown.code == watched.code == 1
    assert f"The database knows no backfill {run}" in shown.err
    assert f"No backfill {run} is known" in watched.err
    assert started.code == 0
    assert "it is requested all the same" in started.err


async def test_an_empty_list_says_so(terminal: Terminal) -> None:
    assert (await terminal.backfill("list")).out == "No backfill was ever requested.\n"
    assert json.loads((await terminal.backfill("list", "--json")).out) == []


async def test_an_adoption_beside_a_migration_consumer_is_done_by_that_and_published(
    terminal: Terminal, migration_consumer: ServiceProcess, pool: asyncpg.Pool
) -> None:
    await write_as_another(pool, families(FAMILIES))
    await terminal.backfill("start", "--dry-run", "--watch")  # the migration consumer has become the worker

    adopted = await terminal.llamalog("adopt", "--yes", "--json")

    assert adopted.code == 0, adopted.err
    assert await origins(pool) == ADOPTED

    async def is_all_published() -> bool:
        return not await pool.fetchval("SELECT count(*) FROM provenance_outbox")

    await eventually(is_all_published)
