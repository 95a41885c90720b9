"""Search forms: fields parsed leniently, with an error for each invalid one, and the page they select."""

import time
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, get_args
from uuid import UUID

import msgspec

from llamalog_schemas.events import Category, Status
from llamalog_service.domain.timestamps import parse_timestamp
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.web.formatting import link
from llamalog_service.queries.paging import Cursor, InvalidCursorError, Page, parse_cursor

_JOBS: Final = frozenset({"job", "root"})
"""Fields that hold a job's id: any characters, blanks at its ends too."""

_LABELS: Final = {"category": Category, "status": Status}

_SEARCH_SECONDS: Final = 1.0
"""A search without an index reads further pages for so long, until it has found a row."""

Member = TypeVar("Member", bound=StrEnum)
Filter = TypeVar("Filter", bound=msgspec.Struct)
T = TypeVar("T")


class Tab(NamedTuple):
    """One of several views of a page."""

    label: str
    href: str
    is_current: bool


class FormQuery:
    """The fields of a search form; an empty one counts as absent.

    Attributes:
        texts: every field as it was sent, to be shown in the form again.
        errors: a sentence for each invalid field.
    """

    def __init__(self, query: Mapping[str, str], fields: Iterable[str]) -> None:
        self.texts = {name: _text(query, name) for name in fields}
        self.errors: list[str] = []
        self._after = query.get("after", "")

    @property
    def is_filtered(self) -> bool:
        """Whether any field is set."""
        return any(self.texts.values())

    def text(self, name: str) -> str | None:
        """A field with any text."""
        return self.texts[name] or None

    def flag(self, name: str) -> bool:
        """A checkbox."""
        return self.texts[name] == "true"

    def member(self, name: str, members: type[Member]) -> Member | None:
        """A field with a member of an enumeration."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return members(text.upper())
        except ValueError:
            self._complain(name, text, f"it is one of {', '.join(members)}")
            return None

    def uuid(self, name: str) -> UUID | None:
        """A field with an id."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return UUID(text)
        except ValueError:
            self._complain(name, text, "it is a UUID such as 0199c0de-0000-7000-8000-000000000001")
            return None

    def timestamp(self, name: str) -> datetime | None:
        """A field with a time, in UTC unless it has a zone, or with an age such as `2h`."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse_timestamp(text, ages=True)
        except ValueError:
            self._complain(name, text, "it is 2h, 7d, 2026-02-10 or 2026-02-10 10:30, in UTC")
            return None

    def filter(self, kind: type[Filter]) -> Filter:
        """A filter of rows, by the fields that are named as its own.

        A filter takes any label, since legacy rows may have others; a form only those of the contract.
        """
        return kind(
            **{
                field.name: self._value(field.encode_name, field.type)
                for field in msgspec.structs.fields(kind)
                if field.encode_name in self.texts
            }
        )

    def _value(self, name: str, annotation: Any) -> object:
        kind = _LABELS.get(name) or next(iter(get_args(annotation)), annotation)
        if kind is bool:
            return self.flag(name)
        if kind is datetime:
            return self.timestamp(name)
        if kind is UUID:
            return self.uuid(name)
        return self.text(name) if kind is str else self.member(name, kind)

    def after(self) -> Cursor | None:
        """The cursor of the page."""
        try:
            return parse_cursor(self._after)
        except InvalidCursorError as error:
            self.errors.append(str(error))
            return None

    def check(self) -> None:
        """Refuse invalid fields, on a page without a form that could show the errors.

        Raises:
            ProblemError: 422.
        """
        if self.errors:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, " ".join(self.errors))

    def _complain(self, name: str, text: str, expected: str) -> None:
        self.errors.append(f"“{text[:80]}” was not understood for {name}: {expected}.")


def _text(query: Mapping[str, str], name: str) -> str:
    text = query.get(name, "")
    return text if name in _JOBS else text.strip()


class ReadPage(Protocol[T]):
    """A query whose filter is bound already."""

    def __call__(self, *, after: Cursor | None) -> Awaitable[Page[T]]:
        """The page behind a cursor."""


@dataclass(frozen=True, slots=True)
class SearchResult(Generic[T]):
    """The result of a search form.

    Attributes:
        items: none where a field is invalid.
        status: of the response.
        values: for the template: the form's fields, its errors, and the links to other pages.
    """

    items: tuple[T, ...]
    status: HTTPStatus
    values: dict[str, Any]


async def search(path: str, form: FormQuery, read: ReadPage[T]) -> SearchResult[T]:
    """Read the page at `path` that a form selects, once all fields of the form have been parsed.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    after = form.after()
    page = None if form.errors else await _first_with_items(read, after)
    return SearchResult(
        items=page.items if page else (),
        status=HTTPStatus.UNPROCESSABLE_ENTITY if page is None else HTTPStatus.OK,
        values={
            "fields": form.texts,
            "filtered": form.is_filtered,
            "errors": form.errors,
            "first_page": after is None,
            "searched_to": page.searched_to if page else None,
            "next": link(path, **form.texts, after=page.next) if page and page.next else None,
        },
    )


async def _first_with_items(read: ReadPage[T], after: Cursor | None) -> Page[T]:
    """The first page with any items, or the one reached in a second."""
    began = time.monotonic()
    page = await read(after=after)
    while not page.items and page.next is not None and time.monotonic() - began < _SEARCH_SECONDS:
        page = await read(after=Cursor.parse(page.next))
    return page
