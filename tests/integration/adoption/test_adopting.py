"""`llamalog adopt` as its user has it: an old database, a terminal or a script, and no Kafka at all."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.adopter import Adopter
from harness.databases import run_sql
from harness.old_tables import make_old_table, table_at
from harness.waiting import TIMEOUT, eventually
from llamalog_service.adoption.migration_runner import migrate

OLD_ROWS = 60
"""A third of them roots, a third below those, a third without a job; most call themselves root jobs later."""

ORPHANS = 10
EXPECTED = {
    "first": "rows=70,roots=20,children=20,adopted=10,untracked=20",
    "flagged": "rows=70,roots=38,children=2,adopted=10,untracked=20",
}
ADOPTED = {
    "first": {"ROOT": 20, "RESOLVED": 20, "ADOPTED": 10, "UNTRACKED": 20},
    "flagged": {"ROOT": 38, "RESOLVED": 2, "ADOPTED": 10, "UNTRACKED": 20},
}


class Owner(Adopter):
    """Of an old database, who has never heard of Kafka."""

    def adopt_on_a_terminal(self, typed: str) -> int:
        """The exit code after something was typed at the question."""
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "llamalog_service", "adopt"],
            env=self.environment,
            cwd=self._folder,
            stdin=its,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(its)
        os.write(ours, f"{typed}\n".encode())
        try:
            return process.wait(TIMEOUT)
        finally:
            process.kill()
            os.close(ours)

    async def make_old(self, point: str) -> None:
        await make_old_table(self.url, point, OLD_ROWS)
        await run_sql(self.url, _ORPHANS.format(table=table_at(point), rows=ORPHANS))

    async def tables(self) -> set[str]:
        found = await run_sql(self.url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {record["tablename"] for record in found}

    async def origins(self) -> dict[str | None, int]:
        found = await run_sql(self.url, "SELECT origin::text, count(*) FROM llama_logs GROUP BY 1")
        return {record["origin"]: record["count"] for record in found}

    async def value(self, query: str) -> Any:
        return (await run_sql(self.url, query))[0][0]


_ORPHANS = """
    INSERT INTO {table} (id, entity_type, operation, status, job_id, parent_job_id)
    SELECT md5('orphan' || n)::uuid, 'ALBUM', 'track:created', 'SUCCESS', 'orphan-' || n, 'lost-' || n
    FROM generate_series(1, {rows}) n
"""


@pytest.fixture
def owner(empty_database: str, tmp_path: Path) -> Owner:
    return Owner(empty_database, tmp_path)


@pytest.mark.parametrize("point", ["first", "roots"])
async def test_an_old_database_is_adopted_by_postgresql_alone_and_only_once(owner: Owner, point: str) -> None:
    await owner.make_old(point)
    rows = "first" if point == "first" else "flagged"

    adopted = await owner.adopt("--yes", "--expect", EXPECTED[rows])
    assert adopted.code == 0, adopted.err
    assert "50 of 70 rows have a root" in adopted.out
    assert "corrections wait to be published" in adopted.out
    assert await owner.origins() == ADOPTED[rows]
    before = await run_sql(owner.url, "SELECT * FROM llama_logs ORDER BY id")

    again = await owner.adopt()
    assert again.code == 0, again.err
    assert "There is nothing to do." in again.out

    held_against_it_again = await owner.adopt("--yes", "--expect", EXPECTED[rows])
    assert held_against_it_again.code == 0
    assert "There was nothing to do" in held_against_it_again.out
    assert await run_sql(owner.url, "SELECT * FROM llama_logs ORDER BY id") == before


async def test_without_a_terminal_it_checks_and_prints_how_to_go_on(owner: Owner) -> None:
    await owner.make_old("first")
    before = await owner.tables()

    checked = await owner.adopt()

    assert checked.code == 2
    assert "Found: enrichment_logs as first described; 70 rows" in checked.out
    assert "Nothing was changed" in checked.err
    assert "--yes" in checked.err
    assert await owner.tables() == before


async def test_on_a_terminal_it_asks_for_confirmation(owner: Owner) -> None:
    await owner.make_old("first")
    assert await asyncio.to_thread(owner.adopt_on_a_terminal, "n") == 1
    assert "enrichment_logs" in await owner.tables()
    assert await asyncio.to_thread(owner.adopt_on_a_terminal, "y") == 0
    assert await owner.origins() == ADOPTED["first"]


async def test_counts_that_are_not_as_expected_end_it_before_a_root_is_written(owner: Owner) -> None:
    await owner.make_old("category")

    failed = await owner.adopt("--yes", "--expect", "roots=39,children=2")

    assert failed.code == 3
    assert "38 roots where 39 were expected" in failed.out
    assert "No root was written" in failed.out
    assert await owner.origins() == {None: 70}
    assert (await owner.adopt("--yes", "--expect", EXPECTED["flagged"])).code == 0
    assert await owner.origins() == ADOPTED["flagged"]


async def test_stopped_and_killed_it_goes_on_with_the_same_command(owner: Owner) -> None:
    await owner.make_old("is_root_job")
    words = ("--yes", "--expect", EXPECTED["flagged"], "--batch-size", "2", "--rate", "10")

    first = await owner.begin(*words)
    await eventually(lambda: _has_set(owner, 4))
    stopped = await first.stop(signal.SIGTERM)
    assert stopped.code == 130
    assert "the same command resumes" in stopped.err
    reached = await owner.value("SELECT count(*) FROM llama_logs WHERE origin IS NOT NULL")

    second = await owner.begin(*words)
    await eventually(lambda: _has_set(owner, reached + 4))
    second.process.kill()
    await second.process.wait()

    other = await owner.adopt("--yes", "--expect", "roots=1")
    assert other.code == 1
    assert "was begun with another --expect" in other.err

    done = await owner.adopt(*words, "--json")
    assert done.code == 0, done.err
    assert done.json["run"]["status"] == "completed"
    assert done.json["run"]["report"]["set"] == 70
    assert await owner.origins() == ADOPTED["flagged"]
    assert await owner.value("SELECT count(*) FROM backfill_runs WHERE kind = 'backfill-roots'") == 1


async def _has_set(owner: Owner, rows: int) -> bool:
    if await owner.value("SELECT to_regclass('backfill_plan') IS NULL"):
        return False
    return bool(await owner.value(f"SELECT count(*) >= {rows} FROM llama_logs WHERE origin IS NOT NULL"))


async def test_a_dry_run_changes_nothing_before_the_migration_and_after(owner: Owner) -> None:
    await owner.make_old("first")
    before = await owner.tables()
    checked = await owner.adopt("--dry-run", "--json")
    assert (checked.code, checked.json["outcome"]) == (0, "checked")
    assert checked.json["check"]["rows"] == 70
    assert await owner.tables() == before

    assert await migrate(owner.url)
    planned = await owner.adopt("--dry-run", "--json")
    assert (planned.code, planned.json["outcome"]) == (0, "completed")
    assert planned.json["run"]["report"]["plan"]["adopted"] == 10
    assert await owner.origins() == {None: 70}


async def test_rows_that_the_application_writes_afterwards_are_adopted_by_the_next_call(owner: Owner) -> None:
    await owner.make_old("roots")
    assert (await owner.adopt("--yes", "--compat-view")).code == 0
    assert await owner.value("SELECT count(*) FROM enrichment_logs") == 70

    await run_sql(
        owner.url,
        "INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id) "
        "VALUES (gen_random_uuid(), 'late', 'CREATED', 'SUCCESS', 'late', 'lost-late')",
    )
    assert (await owner.adopt()).code == 2
    again = await owner.adopt("--yes")
    assert again.code == 0
    assert await owner.origins() == ADOPTED["flagged"] | {"ADOPTED": 11}


async def test_behind_a_backfill_that_is_paused_it_ends_rather_than_wait(owner: Owner) -> None:
    await owner.make_old("first")
    assert await migrate(owner.url)
    await run_sql(
        owner.url,
        "INSERT INTO backfill_runs (id, kind, jobs, reason, status, started_at, requested_by, request) "
        "VALUES (gen_random_uuid(), 'backfill-roots', '{}', 'requested', 'paused', now(), 'ada', "
        """'{"scope": {"kind": "jobs", "jobs": ["job-1"]}, "requestedBy": "ada"}')""",
    )
    refused = await owner.adopt("--yes")
    assert refused.code == 1
    assert "was begun and is paused" in refused.err
    assert await owner.origins() == {None: 70}


async def test_a_database_without_a_log_is_not_made_into_one(owner: Owner) -> None:
    refused = await owner.adopt("--yes")
    assert refused.code == 1
    assert "There is no log to adopt" in refused.err
    assert await owner.tables() == set()
