"""The form that asks for a backfill: what its fields mean as a request, and what is wrong with them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from llamalog_schemas.commands import (
    MAX_BATCH_SIZE,
    MAX_JOBS_PER_COMMAND,
    ExpectedCounts,
    GivenJobs,
    MissingParent,
    OneRoot,
    Scope,
    TimeWindow,
    WholeTable,
)
from llamalog_schemas.limits import EARLIEST_TIME, LATEST_TIME, MAX_COUNT, MAX_JOB_LENGTH
from llamalog_service.http.backfill_service import BackfillRequest

Fields = Mapping[str, str]
"""As they were sent; a field that is missing was left empty."""

EXPECT: Final = "expect-"
"""Begins the fields of counts by class."""

SCOPES: Final = {
    "everything": "Every row",
    "root": "One root, and all below it",
    "jobs": "Some jobs, and all below them",
    "window": "A window of time",
}


class FormInvalidError(ValueError):
    """The form says nothing that could be asked for.

    Attributes:
        complaints: a sentence for each field that is wrong.
    """

    def __init__(self, complaints: Mapping[str, str]) -> None:
        super().__init__(" ".join(complaints.values()))
        self.complaints = complaints


def read_dry_run(fields: Fields) -> BackfillRequest:
    """The backfill that a form asks for, as a dry run.

    Raises:
        FormInvalidError: it can't be asked for.
    """
    reading = _Reading(fields)
    wanted = BackfillRequest(
        scope=reading.scope(),
        missing_parent=reading.missing_parent(),
        batch_size=reading.number("batchSize", "Rows a transaction", 1, MAX_BATCH_SIZE),
        rate_limit=reading.number("rateLimit", "Rows a second", 1, MAX_COUNT),
        dry_run=True,
        expected=reading.expected(),
    )
    if reading.complaints:
        raise FormInvalidError(reading.complaints)
    return wanted


class _Reading:
    """Reads fields one by one; what is wrong becomes a complaint, and the reading goes on."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.complaints: dict[str, str] = {}

    def scope(self) -> Scope:
        match self._said("scope"):
            case "root":
                return OneRoot(root_job_id=self._jobs("root", most=1)[0])
            case "jobs":
                return GivenJobs(jobs=self._jobs("jobs", most=MAX_JOBS_PER_COMMAND))
            case "window":
                return self._window()
            case "everything" | "":
                return WholeTable()
            case _:
                self.complaints["scope"] = "Choose which rows are meant."
                return WholeTable()

    def missing_parent(self) -> MissingParent:
        try:
            return MissingParent(self._said("missingParent") or MissingParent.LEAVE)
        except ValueError:
            self.complaints["missingParent"] = "Choose what becomes of a top that was never logged."
            return MissingParent.LEAVE

    def expected(self) -> ExpectedCounts | None:
        counts = {
            name: count
            for name in ExpectedCounts.__struct_fields__
            if (count := self.number(f"{EXPECT}{name}", f"The count of {name}", 0, MAX_COUNT)) is not None
        }
        return ExpectedCounts(**counts) if counts else None

    def number(self, field: str, what: str, least: int, most: int) -> int | None:
        said = self._said(field).replace(",", "").replace("_", "")
        if not said:
            return None
        if said.isascii() and said.isdecimal() and len(said) <= 10 and least <= int(said) <= most:
            return int(said)
        self.complaints[field] = f"{what}: a whole number between {least:,} and {most:,}, or nothing."
        return None

    def _jobs(self, field: str, most: int) -> tuple[str, ...]:
        lines = dict.fromkeys(line.strip("\r") for line in self._fields.get(field, "").split("\n"))
        jobs = tuple(line for line in lines if line.strip())
        if not jobs:
            self.complaints[field] = "Name a job." if most == 1 else "Name at least one job, one a line."
        elif len(jobs) > most:
            self.complaints[field] = f"At most {most:,} jobs; these are {len(jobs):,}."
        elif any(len(job) > MAX_JOB_LENGTH for job in jobs):
            self.complaints[field] = f"The name of a job has at most {MAX_JOB_LENGTH} characters."
        return jobs or ("",)

    def _window(self) -> TimeWindow:
        start = self._moment("since", EARLIEST_TIME)
        end = self._moment("until", LATEST_TIME)
        if start >= end and not self.complaints:
            self.complaints["until"] = "The window ends before it begins."
        return TimeWindow(from_=start, to=end)

    def _moment(self, field: str, otherwise: datetime) -> datetime:
        said = self._said(field)
        if not said:
            return otherwise
        try:
            moment = datetime.fromisoformat(said)
        except ValueError:
            self.complaints[field] = "A moment looks like 2026-02-10 or 2026-02-10T10:30, in UTC."
            return otherwise
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        if not EARLIEST_TIME <= moment <= LATEST_TIME:
            self.complaints[field] = f"Moments lie between {EARLIEST_TIME:%Y} and {LATEST_TIME:%Y}."
            return otherwise
        return moment

    def _said(self, field: str) -> str:
        return self._fields.get(field, "").strip()
