"""The output of `llamalog adopt` about its check and its end."""

import json
from typing import Any
from uuid import UUID

import pytest

from llamalog_schemas.backfills import BackfillReport, RootCounts, RunStatus
from llamalog_schemas.commands import BackfillRootsData, WholeTable
from llamalog_service.adoption.adopt import AdoptionState
from llamalog_service.adoption.migration_check import MigrationCheck, PlannedStep
from llamalog_service.cli.adopt import AdoptionReport, conclusion, what_is_left
from llamalog_service.queries.backfills import Adoption, BackfillRun
from unit.cli.test_backfill_tables import a_report, a_run

DONE = a_run()
UNDER_WAY = a_run(run=UUID(int=9), status=RunStatus.RUNNING)
MIGRATED = MigrationCheck("llama_logs with LINKED and root_job_id", "0007", 4052, (), ())
TO_BE_MIGRATED = MigrationCheck(
    "enrichment_logs as first described", None, 4052, (), (PlannedStep("0003", "rename the table", 0),)
)


def concluded(report: BackfillReport | None, *, was_migrated: bool = True, **values: Any) -> str:
    return " ".join(conclusion(a_run(report=report, **values), was_migrated=was_migrated))


def left(unprocessed: int, pending: int, run: BackfillRun | None) -> str:
    return " ".join(what_is_left(AdoptionState(MIGRATED, Adoption(unprocessed, pending, run))))


def test_a_log_that_is_adopted_says_how_many_rows_have_a_root() -> None:
    assert "The log is adopted: 1,567 of 4,052 rows have a root" in concluded(a_report())


def test_corrections_that_wait_are_reported_with_who_publishes_them() -> None:
    sentence = concluded(a_report(untold=1567))
    assert (
        "1,567 corrections wait to be published. A migration consumer (`llamalog migration-consumer`)"
        in sentence
    )
    assert "corrections" not in concluded(a_report())


def test_a_second_time_there_was_nothing_to_do() -> None:
    assert "nothing to do" in concluded(a_report(set_=0), was_migrated=False)
    assert "nothing to do" not in concluded(a_report(set_=0), was_migrated=True)
    assert "nothing to do" not in concluded(a_report(set_=0, set_after_looking_again=1), was_migrated=False)


def test_a_dry_run_says_that_nothing_was_written() -> None:
    assert "no root was written" in concluded(a_report(end=None, set_=0), requested={"dry_run": True})


def test_a_failure_says_what_stays() -> None:
    assert "No root was written." in concluded(a_report(end=None, set_=0), status=RunStatus.FAILED)
    assert concluded(a_report(end=RootCounts(roots=1)), status=RunStatus.FAILED) == ""
    assert "the same command begins it anew" in concluded(None, status=RunStatus.CANCELLED)


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (None, "3 rows have no origin yet; 4 rows belong to a job that was never logged"),
        (UNDER_WAY, f"The adoption {UNDER_WAY.run} was begun before and resumes"),
        (DONE, f"It was adopted before: `llamalog backfill show {DONE.run}`"),
    ],
)
def test_what_is_left_of_a_migrated_log_is_reported(run: BackfillRun | None, sentence: str) -> None:
    assert sentence in left(3, 4, run)


@pytest.mark.parametrize(
    ("run", "requested", "ignored"),
    [
        (UNDER_WAY, {"batch_size": 7, "rate_limit": 100}, ["--batch-size", "--rate"]),
        (UNDER_WAY, {"rate_limit": 100}, ["--rate"]),
        (UNDER_WAY, {}, []),
        (UNDER_WAY, {"batch_size": 7, "dry_run": True}, []),
        (DONE, {"batch_size": 7}, []),
        (None, {"batch_size": 7}, []),
    ],
)
def test_options_that_come_too_late_for_a_run_that_goes_on_are_named(
    run: BackfillRun | None, requested: dict[str, Any], ignored: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = AdoptionState(MIGRATED, Adoption(3, 4, run))
    wanted = BackfillRootsData(scope=WholeTable(), requested_by="ada", **requested)
    AdoptionReport(as_json=False).checked(found, wanted)
    printed = capsys.readouterr().out
    assert ("of this call is ignored" in printed) == bool(ignored)
    assert all(option in printed for option in ignored)
    report = AdoptionReport(as_json=True)
    report.checked(found, wanted)
    report.close("done")
    assert json.loads(capsys.readouterr().out).get("ignoredOptions", []) == ignored


def test_of_a_log_that_is_to_be_migrated_only_the_order_of_things_is_known() -> None:
    assert list(what_is_left(AdoptionState(TO_BE_MIGRATED, None))) == [
        "Then the roots of all rows are planned, counted, and written in small batches."
    ]


def test_an_adoption_is_complete_when_its_run_has_ended_and_no_row_is_left() -> None:
    assert Adoption(0, 0, DONE).is_complete
    assert not Adoption(1, 0, DONE).is_complete
    assert not Adoption(0, 1, DONE).is_complete
    assert not Adoption(0, 0, UNDER_WAY).is_complete
    assert not Adoption(0, 0, None).is_complete


def test_what_is_in_the_way_leaves_everything_as_it_was() -> None:
    blocked = MigrationCheck("llama_logs with category", None, 3, ("llama_logs.id is of type text",), ())
    assert "Nothing was changed" in " ".join(what_is_left(AdoptionState(blocked, None)))
