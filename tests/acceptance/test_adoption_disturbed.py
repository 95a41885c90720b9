"""`llamalog adopt` killed at any moment, and beside an application and producers that go on: the same end."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import islice
from random import Random
from typing import Any

import asyncpg
import pytest

from harness.adopter import Adopter
from harness.databases import ALL_REVISIONS
from harness.legacy.adversarial import wide_rows
from harness.legacy.application import Application
from harness.legacy.database import (
    changed_values,
    differences,
    insert_rows,
    make_known_database,
    read_kept_aside,
    read_outcome,
    read_table,
)
from harness.legacy.known import ROWS
from harness.legacy.oracle import adopted, kept_aside
from harness.legacy.schemas import StartingPoint
from harness.log_table import stored_rows
from harness.provenance import as_stored
from harness.started_commands import Ended
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event
from llamalog_schemas.events import Event
from llamalog_service.backfill.recomputes import Sweep
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.pool import create_pool

HEAD = ALL_REVISIONS[-1]
WIDE = 5_000
_SLOWLY = ("--yes", "--json", "--batch-size", "100", "--rate", "600")
CHANGED_BY_RULE = ["parent_job_id", "root_job_id"]
_RUN = (
    "SELECT phase, scanned, finished_at IS NOT NULL AS over FROM backfill_runs WHERE kind = 'backfill-roots'"
)


class Style:
    """At how far an adoption is, as often as one likes."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def revision(self) -> str:
        """The revision reached; empty before the first."""
        if await self.connection.fetchval("SELECT to_regclass('llamalog_revision')") is None:
            return ""
        return await self.connection.fetchval("SELECT version_num FROM llamalog_revision") or ""

    async def run(self) -> Any:
        """The run's row; None before there is one."""
        return await self.connection.fetchrow(_RUN) if await self.revision() == HEAD else None

    async def phase(self) -> str:
        run = await self.run()
        if run is None:
            return "migrating"
        return "over" if run["over"] else str(run["phase"])


Moment = Callable[[Style], Awaitable[bool]]


def moments(dice: Random, rows: int) -> list[Moment]:
    """Some while the table is migrated, one before the plan is made, some while the roots are written."""

    def has_reached(revision: str) -> Moment:
        async def reached(look: Style) -> bool:
            return await look.revision() >= revision

        return reached

    async def has_a_run(look: Style) -> bool:
        return await look.run() is not None

    def has_scanned(number: int) -> Moment:
        async def scanned(look: Style) -> bool:
            run = await look.run()
            return run is not None and run["scanned"] >= number

        return scanned

    revisions = sorted(dice.sample(["0001", "0002", "0003", "0004"], 2))
    numbers = sorted(dice.sample(range(1, rows * 3 // 4), 2))
    return [*map(has_reached, revisions), has_a_run, *map(has_scanned, numbers)]


@pytest.mark.parametrize("seed", [1])
async def test_killed_again_and_again_the_same_command_comes_to_the_same_end(
    adopter: Adopter, seed: int
) -> None:
    point, dice = StartingPoint.ROOT_FLAG, Random(f"{seed} kills")
    await make_known_database(adopter.url, point, lost_tops=True)
    await insert_rows(adopter.url, point.table, wide_rows(point, WIDE))
    before = await read_table(adopter.url, point.table)
    words = ("--yes", "--json", "--batch-size", "200", "--rate", "3000")

    connection = await asyncpg.connect(adopter.url)
    look, killed_while = Style(connection), Counter[str]()
    for comes in moments(dice, len(before.rows)):
        command = await adopter.begin(*words)
        while not await comes(look):
            assert command.process.returncode is None
            await asyncio.sleep(0.02)
        await asyncio.sleep(dice.uniform(0, 0.15))
        command.process.kill()
        await command.process.communicate()
        killed_while[await look.phase()] += 1
    assert killed_while["migrating"] >= 1, killed_while
    assert killed_while["writing"] >= 1, killed_while
    assert killed_while["over"] == 0, killed_while

    ended = await adopter.adopt(*words)
    assert ended.code == 0, ended.err
    assert ended.json["run"]["report"]["set"] == len(before.rows) == ROWS + WIDE
    after = await read_table(adopter.url, "llama_logs")
    assert changed_values(before, after, but=CHANGED_BY_RULE) == []
    assert differences(await read_outcome(adopter.url), adopted(before.rows.values())) == []
    assert differences(await read_kept_aside(adopter.url), kept_aside(before.rows.values())) == []
    once = await connection.fetchval(
        "SELECT (SELECT array_agg(DISTINCT revision) FROM llama_logs) = '{2}' "
        "AND (SELECT count(*) FROM backfill_runs) = 1 AND (SELECT count(*) FROM root_overrides) = 4"
    )
    assert once, "some row was corrected twice, or some adoption noted twice"
    await connection.close()


def events(dice: Random, jobs: list[str], number: int) -> list[Event]:
    """Children of the rows that stand, parents of some, the lost tops themselves, rings."""
    planned: list[Event] = []
    for n in range(1, number + 1):
        job, parent = dice.choice(
            [
                (f"event-{n}", dice.choice(jobs)),
                (f"event-{n}", f"event-{dice.randrange(1, n + 3)}"),
                (dice.choice(jobs), f"event-{n}"),
                (dice.choice(jobs), dice.choice(jobs)),
                (f"bullmq:lost-{n % 9}", None),
                (f"event-{n}", f"app-{n}"),
                (f"event-{n}", f"never-{n % 7}"),
            ]
        )
        if job != parent:
            planned.append(event(n, job, parent, at=dice.randrange(-(10**10), 10**6)))
    return planned


async def killed_while_writing(look: Style, adopter: Adopter, application: Application) -> None:
    """Begin to adopt beside the application, and kill the command once it has written roots."""
    command = await adopter.begin(*_SLOWLY)
    while (run := await look.run()) is None or not run["scanned"]:
        assert command.process.returncode is None
        await application.write()
    command.process.kill()
    await command.process.communicate()


async def adopted_beside(
    look: Style, adopter: Adopter, application: Application, ingest: Callable[[], Awaitable[None]]
) -> Ended:
    """Adopt, while the application writes, and events are ingested and what they need is repaired."""
    command = await adopter.begin(*_SLOWLY)
    ended = asyncio.create_task(command.ended())
    while not ended.done():
        await application.write()
        if await look.revision() == HEAD:
            await ingest()
        await asyncio.sleep(0.02)
    return await ended


async def test_beside_an_application_and_producers_that_go_on_every_root_is_the_oracles(
    adopter: Adopter,
) -> None:
    dice = Random("live")
    await make_known_database(adopter.url, StartingPoint.ROOTS, lost_tops=True)
    before = await read_table(adopter.url, "llama_logs")
    jobs = sorted({str(row["job_id"]) for row in before.rows.values() if row["job_id"] is not None})
    jobs = [*dice.sample(jobs, 60), "orphan-1", "orphan-2", "grandorphan-1", "enrich-of-import"]
    application, planned = Application(adopter.url, dice, jobs), iter(events(dice, jobs, 400))

    async with create_pool(adopter.url, min_size=1) as pool:
        writer = Writer(pool, KeptMessages())
        recomputer = Recomputer(pool, writer.kept)

        async def ingest() -> None:
            if batch := list(islice(planned, 5)):
                await writer.write(*batch)
                await recomputer.settle()

        async with pool.acquire() as connection:
            await application.prepare(connection)
            look = Style(connection)
            # However busy the machine is, events come between the plan and the end of its batches.
            await killed_while_writing(look, adopter, application)
            for _ in range(10):
                await ingest()
            ended = await adopted_beside(look, adopter, application, ingest)
        assert ended.code == 0, ended.err
        report = ended.json["run"]["report"]
        assert report["rows"] >= ROWS
        assert report["unexplained"] == 0
        assert report["live"]["corrected"] > 0

        await Recomputer(pool, writer.kept).settle()
        sweep = Sweep(RecomputeStore(pool), every=1, full_every=1, clock=lambda: 0.0)
        while await sweep.sweep_unsettled():
            continue
        await Recomputer(pool, writer.kept).publish_corrections()
        overrides = {
            row["job_id"]: row["adopted"] for row in await pool.fetch("SELECT * FROM root_overrides")
        }
        assert writer.kept.provenance == as_stored(await stored_rows(pool))

    after, written = await read_table(adopter.url, "llama_logs"), await application.rows()
    legacy = before.rows | written
    assert len(after.rows) > len(legacy) > ROWS
    legacy_after = after._replace(
        rows={row_id: row for row_id, row in after.rows.items() if row_id in legacy}
    )
    assert changed_values(before._replace(rows=legacy), legacy_after, but=CHANGED_BY_RULE) == []
    assert differences(await read_kept_aside(adopter.url), kept_aside(legacy.values())) == []
    expected = adopted([*(after.rows | legacy).values()], missing_tops=False, overrides=overrides)
    assert differences(await read_outcome(adopter.url), expected) == []
