"""`llamalog adopt` on the known database, from each starting point: nothing lost, every root right."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from harness.adopter import Adopter
from harness.databases import new_database
from harness.legacy.adversarial import adversarial_rows
from harness.legacy.database import (
    Table,
    changed_values,
    differences,
    insert_rows,
    make_known_database,
    read_everything,
    read_kept_aside,
    read_outcome,
    read_table,
    run_script,
)
from harness.legacy.known import (
    PARENTS_CLEARED,
    ROOT_JOBS,
    ROWS,
    WITH_A_PARENT,
    WITH_A_ROOT,
    WITHOUT_A_JOB,
    known_rows,
)
from harness.legacy.oracle import Expected, Kept, adopted, counts, kept_aside
from harness.legacy.rows import Entities
from harness.legacy.schemas import NEIGHBOURS, Spelling, StartingPoint, schema_at
from harness.started_commands import Ended
from llamalog_service.adoption.migration_runner import migrate

EXPECTED = "roots=1537,children=30,untracked=2485"
WITH_LOST_TOPS = "rows=4052,roots=1537,children=18,adopted=12,untracked=2485,cycles=0,pending=0"
CHANGED_BY_RULE = ["parent_job_id", "root_job_id"]
OF_RUNS = {"backfill_runs", "backfill_plan"}


class Known(NamedTuple):
    """Which known database; that of the starting point EMPTY is filled once it has been migrated."""

    point: StartingPoint
    spelling: Spelling = "llama_logs"
    lost_tops: bool = False

    def __str__(self) -> str:
        return f"{self.point.name}{'-lost-tops' if self.lost_tops else ''}"

    @property
    def expect(self) -> str:
        return WITH_LOST_TOPS if self.lost_tops else EXPECTED


DATABASES = [
    Known(StartingPoint.EMPTY),
    Known(StartingPoint.FIRST, "enrichment_logs"),
    Known(StartingPoint.FIRST, "camelCase", lost_tops=True),
    Known(StartingPoint.ROOT_FLAG, "camelCase"),
    Known(StartingPoint.CATEGORY, "enrichment_logs"),
    Known(StartingPoint.ROOTS),
    Known(StartingPoint.ROOTS, "enrichment_logs", lost_tops=True),
]


class Adopted(NamedTuple):
    """A database before its adoption, after it, and after it was adopted again."""

    known: Known
    before: Table
    ended: Ended
    after: Table
    outcome: dict[str, Expected]
    kept: dict[str, Kept]
    everything: dict[str, list[str]]
    ended_again: Ended
    everything_again: dict[str, list[str]]

    @property
    def report(self) -> Any:
        return self.ended.json["run"]["report"]


async def make_known(url: str, known: Known) -> Table:
    """Make the database; its log as it stands, without the columns that the application does not know."""
    await make_known_database(url, known.point, known.spelling, lost_tops=known.lost_tops)
    if known.point is not StartingPoint.EMPTY:
        return await read_table(url, known.point.table)
    await migrate(url)
    rows = known_rows(Entities(Random("1 entities")), StartingPoint.ROOTS)
    lists = ("sources", "fields_enriched")  # NULL was never written there
    rows = [row | {name: row[name] or "{}" for name in lists} for row in rows]
    await insert_rows(url, "llama_logs", rows)
    return await read_table(url, "llama_logs", StartingPoint.ROOTS.columns)


async def adopt_known(postgres_url: str, folder: Path, known: Known) -> Adopted:
    async with new_database(postgres_url) as url:
        before = await make_known(url, known)
        adopter = Adopter(url, folder)
        ended = await adopter.adopt("--yes", "--json", "--expect", known.expect)
        return Adopted(
            known,
            before,
            ended,
            after=await read_table(url, "llama_logs"),
            outcome=await read_outcome(url),
            kept=await read_kept_aside(url),
            everything=await read_everything(url, but=OF_RUNS),
            ended_again=await adopter.adopt("--yes", "--json", "--expect", known.expect),
            everything_again=await read_everything(url, but=OF_RUNS),
        )


@pytest.fixture(scope="module", params=DATABASES, ids=str)
def adoption(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Adopted:
    """One of them, adopted twice."""
    folder = tmp_path_factory.mktemp("adoption")
    with asyncio.Runner() as runner:
        adopted = runner.run(adopt_known(postgres_url, folder, request.param))
    assert adopted.ended.code == 0, adopted.ended.err
    return adopted


def test_the_known_figures_come_out(adoption: Adopted) -> None:
    roots = [row["root_job_id"] for row in adoption.after.rows.values()]
    assert len(roots) == ROWS
    assert sum(root is not None for root in roots) == WITH_A_ROOT
    assert roots.count(None) == WITHOUT_A_JOB
    below_lost_tops = 12 if adoption.known.lost_tops else 0
    assert counts(adoption.outcome) == {
        "ROOT": ROOT_JOBS,
        "UNTRACKED": WITHOUT_A_JOB,
        "RESOLVED": WITH_A_PARENT - below_lost_tops,
    } | ({"ADOPTED": below_lost_tops} if below_lost_tops else {})


def test_every_value_that_no_rule_changes_is_the_same_to_the_last_byte(adoption: Adopted) -> None:
    assert changed_values(adoption.before, adoption.after, but=CHANGED_BY_RULE) == []
    assert adoption.after.rows.keys() == adoption.before.rows.keys()


def test_every_root_is_the_oracles_and_what_is_overruled_is_kept_aside(adoption: Adopted) -> None:
    before = adoption.before.rows.values()
    assert differences(adoption.outcome, adopted(before)) == []
    assert differences(adoption.kept, kept_aside(before)) == []


def test_the_report_lists_what_was_done(adoption: Adopted) -> None:
    report, before, expected = adoption.report, adoption.before.rows, adopted(adoption.before.rows.values())
    assert adoption.ended.json["outcome"] == "completed"
    assert report["plan"] == report["end"]
    assert report["rows"] == report["set"] == report["untold"] == ROWS
    assert report["unexplained"] == report["live"]["corrected"] == report["cyclesFound"] == 0
    assert report["adoptedJobs"] == (
        [f"bullmq:lost-{n}" for n in range(4)] if adoption.known.lost_tops else []
    )
    cleared = PARENTS_CLEARED if "is_root_job" in adoption.before.columns else 0
    overruled = [
        row_id
        for row_id, row in before.items()
        if row.get("root_job_id") is not None and row["root_job_id"] != expected[row_id].root_job_id
    ]
    assert report["keptAside"] == {"parentsCleared": cleared, "rootsOverruled": len(overruled)}


def test_adopted_again_it_is_as_it_was(adoption: Adopted) -> None:
    assert adoption.ended_again.code == 0, adoption.ended_again.err
    assert adoption.ended_again.json["migrated"] == []
    assert adoption.ended_again.json["run"]["report"]["set"] == 0
    assert adoption.everything_again == adoption.everything


async def test_a_preview_changes_nothing_before_the_migration(adopter: Adopter) -> None:
    await make_known(adopter.url, Known(StartingPoint.ROOT_FLAG))
    before = await read_everything(adopter.url)
    previewed = await adopter.adopt("--dry-run", "--json")
    assert (previewed.code, previewed.json["outcome"]) == (0, "checked")
    assert await read_everything(adopter.url) == before


async def test_a_preview_or_a_wrong_expectation_changes_nothing_after_the_migration(adopter: Adopter) -> None:
    await make_known(adopter.url, Known(StartingPoint.EMPTY))
    before = await read_everything(adopter.url, but=OF_RUNS)
    planned = await adopter.adopt("--dry-run", "--json", "--expect", EXPECTED)
    assert (planned.code, planned.json["run"]["report"]["plan"]["roots"]) == (0, ROOT_JOBS)
    wrong = await adopter.adopt("--yes", "--json", "--expect", "roots=1537,children=29,untracked=2486")
    assert (wrong.code, wrong.json["outcome"]) == (3, "failed")
    assert {miss["name"] for miss in wrong.json["run"]["report"]["mismatches"]} == {"children", "untracked"}
    assert await read_everything(adopter.url, but=OF_RUNS) == before


@pytest.mark.parametrize("point", [StartingPoint.FIRST, StartingPoint.ROOTS])
async def test_a_database_of_every_difficulty_is_adopted_and_its_cycles_are_named(
    adopter: Adopter, point: StartingPoint
) -> None:
    await run_script(adopter.url, NEIGHBOURS + schema_at(point))
    await insert_rows(adopter.url, point.table, adversarial_rows(point))
    before = await read_table(adopter.url, point.table)

    ended = await adopter.adopt("--yes", "--json")

    assert ended.code == 0, ended.err
    expected = adopted(before.rows.values())
    assert differences(await read_outcome(adopter.url), expected) == []
    assert differences(await read_kept_aside(adopter.url), kept_aside(before.rows.values())) == []
    after = await read_table(adopter.url, "llama_logs")
    assert changed_values(before, after, but=CHANGED_BY_RULE) == []
    rings: dict[tuple[str, ...], int] = {}
    for row in expected.values():
        if row.cycle_members is not None:
            rings[row.cycle_members] = rings.get(row.cycle_members, 0) + 1
    report = ended.json["run"]["report"]
    assert {tuple(cycle["members"]): cycle["rows"] for cycle in report["cycles"]} == rings
    assert report["cyclesFound"] == len(rings) > 7
    assert report["plan"]["conflicts"] == sum(row.parent_conflict for row in expected.values()) > 0


async def test_an_empty_database_is_adopted_once_it_is_migrated(adopter: Adopter) -> None:
    await make_known_database(adopter.url, StartingPoint.EMPTY)
    before = await read_everything(adopter.url)
    assert (await adopter.adopt("--yes")).code == 1
    assert await read_everything(adopter.url) == before

    await migrate(adopter.url)
    ended = await adopter.adopt("--yes", "--json", "--expect", "rows=0")
    assert ended.code == 0, ended.err
    assert ended.json["run"]["report"]["rows"] == 0
    assert (await read_everything(adopter.url))["albums"] == before["albums"]
