"""What a page is asked for: the fields of its form, read leniently and complained about in words."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from llamalog_service.http.problems import ProblemError
from llamalog_service.queries.paging import Cursor, InvalidCursorError

_UNITS: Final = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d{1,6})\s*(s|min|m|h|d|w)", re.IGNORECASE)

_JOBS: Final = frozenset({"job", "root"})
"""Fields that hold a job's id: any characters, blanks at its ends too."""

Word = TypeVar("Word", bound=StrEnum)


class Tab(NamedTuple):
    """One of several ways to look at the same page."""

    label: str
    href: str
    is_current: bool


class Asked:
    """The fields of a form; an empty one is as good as none.

    Attributes:
        texts: every field as it came, to be shown in the form again.
        complaints: what could not be understood.
    """

    def __init__(self, query: Mapping[str, str], fields: Iterable[str]) -> None:
        self.texts = {name: _said(query, name) for name in fields}
        self.complaints: list[str] = []
        self._after = query.get("after", "")

    @property
    def is_filtered(self) -> bool:
        """Whether anything was asked for."""
        return any(self.texts.values())

    def text(self, name: str) -> str | None:
        """A field that may hold anything."""
        return self.texts[name] or None

    def flag(self, name: str) -> bool:
        """A box that is ticked or not."""
        return self.texts[name] == "true"

    def word(self, name: str, words: type[Word]) -> Word | None:
        """A field that holds one of some words."""
        said = self.text(name)
        if said is None:
            return None
        try:
            return words(said.upper())
        except ValueError:
            self._complain(name, said, f"it is one of {', '.join(words)}")
            return None

    def uuid(self, name: str) -> UUID | None:
        """A field that holds an id."""
        said = self.text(name)
        if said is None:
            return None
        try:
            return UUID(said)
        except ValueError:
            self._complain(name, said, "it is a UUID such as 0199c0de-0000-7000-8000-000000000001")
            return None

    def moment(self, name: str) -> datetime | None:
        """A field that holds a time, UTC unless it says otherwise, or how long ago it was."""
        said = self.text(name)
        if said is None:
            return None
        ago = _AGO.fullmatch(said)
        try:
            if ago:
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})
            at = datetime.fromisoformat(said)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            self._complain(name, said, "it is 2h, 7d, 2026-02-10 or 2026-02-10 10:30, in UTC")
            return None

    def after(self) -> Cursor | None:
        """Where the page goes on."""
        if not self._after:
            return None
        try:
            return Cursor.parse(self._after)
        except InvalidCursorError as error:
            self.complaints.append(str(error))
            return None

    def check(self) -> None:
        """Let a page that has no form to complain in go no further.

        Raises:
            ProblemError: 422, something was not understood.
        """
        if self.complaints:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, " ".join(self.complaints))

    def _complain(self, name: str, said: str, wanted: str) -> None:
        self.complaints.append(f"“{said[:80]}” was not understood for {name}: {wanted}.")


def _said(query: Mapping[str, str], name: str) -> str:
    said = query.get(name, "")
    return said if name in _JOBS else said.strip()
