"""The form of a backfill: its fields parsed into a request, with a complaint for each invalid one."""

from collections.abc import Mapping
from datetime import datetime
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
from llamalog_service.domain.timestamps import parse_timestamp
from llamalog_service.http.backfill_service import BackfillRequest

Fields = Mapping[str, str]
"""The form's fields as they were sent; a missing field counts as empty."""

EXPECT: Final = "expect-"
"""The prefix of the fields of expected counts."""

SCOPES: Final = {
    "everything": "Every row",
    "root": "One root, and all below it",
    "jobs": "Some jobs, and all below them",
    "window": "A window of time",
}


class FormInvalidError(ValueError):
    """The form has invalid fields.

    Attributes:
        complaints: a sentence for each invalid field.
    """

    def __init__(self, complaints: Mapping[str, str]) -> None:
        super().__init__(" ".join(complaints.values()))
        self.complaints = complaints


def parse_dry_run(fields: Fields) -> BackfillRequest:
    """The form's backfill as a dry run.

    Raises:
        FormInvalidError: a field is invalid.
    """
    form = _FormParser(fields)
    request = BackfillRequest(
        scope=form.scope(),
        missing_parent=form.missing_parent(),
        batch_size=form.number("batchSize", "Rows a transaction", 1, MAX_BATCH_SIZE),
        rate_limit=form.number("rateLimit", "Rows a second", 1, MAX_COUNT),
        dry_run=True,
        expected=form.expected(),
    )
    if form.complaints:
        raise FormInvalidError(form.complaints)
    return request


class _FormParser:
    """Parses fields one by one, and collects a complaint for each invalid one."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.complaints: dict[str, str] = {}

    def scope(self) -> Scope:
        match self._text("scope"):
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
            return MissingParent(self._text("missingParent") or MissingParent.LEAVE)
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

    def number(self, field: str, label: str, least: int, most: int) -> int | None:
        text = self._text(field).replace(",", "").replace("_", "")
        if not text:
            return None
        if text.isascii() and text.isdecimal() and len(text) <= 10 and least <= int(text) <= most:
            return int(text)
        self.complaints[field] = f"{label}: a whole number between {least:,} and {most:,}, or nothing."
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
        start = self._timestamp("since", EARLIEST_TIME)
        end = self._timestamp("until", LATEST_TIME)
        if start >= end and not self.complaints:
            self.complaints["until"] = "The window ends before it begins."
        return TimeWindow(from_=start, to=end)

    def _timestamp(self, field: str, default: datetime) -> datetime:
        text = self._text(field)
        if not text:
            return default
        try:
            timestamp = parse_timestamp(text)
        except ValueError:
            self.complaints[field] = "A time looks like 2026-02-10 or 2026-02-10T10:30, in UTC."
            return default
        if not EARLIEST_TIME <= timestamp <= LATEST_TIME:
            self.complaints[field] = f"Times lie between {EARLIEST_TIME:%Y} and {LATEST_TIME:%Y}."
            return default
        return timestamp

    def _text(self, field: str) -> str:
        return self._fields.get(field, "").strip()
