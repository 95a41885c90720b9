"""The form of a backfill: its fields parsed into a request, with an error for each invalid one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from llamalog_schemas.commands import (
    MAX_BATCH_SIZE,
    ExpectedCounts,
    GivenJobs,
    MissingParent,
    OneRoot,
    Scope,
    TimeWindow,
    WholeTable,
)
from llamalog_schemas.limits import MAX_COUNT
from llamalog_service.backfill.scopes import InvalidScopeError, checked_jobs, parse_moment, window
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
        errors: a sentence for each invalid field.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


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
    if form.errors:
        raise FormInvalidError(form.errors)
    return request


class _FormParser:
    """Parses fields one by one, and collects an error for each invalid one."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.errors: dict[str, str] = {}

    def scope(self) -> Scope:
        match self._text("scope"):
            case "root":
                return OneRoot(root_job_id=self._jobs("root", [self._fields.get("root", "")])[0])
            case "jobs":
                return GivenJobs(jobs=self._jobs("jobs", self._fields.get("jobs", "").split("\n")))
            case "window":
                return self._window()
            case "everything" | "":
                return WholeTable()
            case _:
                self.errors["scope"] = "Choose which rows are meant."
                return WholeTable()

    def missing_parent(self) -> MissingParent:
        try:
            return MissingParent(self._text("missingParent") or MissingParent.LEAVE)
        except ValueError:
            self.errors["missingParent"] = "Choose what becomes of a top that was never logged."
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
        self.errors[field] = f"{label}: a whole number between {least:,} and {most:,}, or nothing."
        return None

    def _jobs(self, field: str, texts: Iterable[str]) -> tuple[str, ...]:
        named = [text.strip("\r") for text in texts if text.strip()]
        try:
            if named:
                return checked_jobs(named)
            self.errors[field] = "Name a job."
        except InvalidScopeError as error:
            self.errors[field] = str(error)
        return ("",)

    def _window(self) -> TimeWindow:
        since, until = self._moment("since"), self._moment("until")
        try:
            return window(since, until)
        except InvalidScopeError as error:
            self.errors.setdefault("until", str(error))
            return window(None, None)

    def _moment(self, field: str) -> datetime | None:
        try:
            return parse_moment(text) if (text := self._text(field)) else None
        except InvalidScopeError as error:
            self.errors[field] = str(error)
            return None

    def _text(self, field: str) -> str:
        return self._fields.get(field, "").strip()
