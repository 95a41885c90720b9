"""The code and the message of an exception for an event, without the values of a database's statement."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

_MAX_MESSAGE: Final = 10_000
_MAX_CODE: Final = 50

_STATEMENT: Final = re.compile(r"\s*\[SQL: |\s*\[parameters: |\n\s*(?:DETAIL|HINT|CONTEXT|QUERY|LINE \d+): ")
"""Where SQLAlchemy and PostgreSQL's drivers begin to quote statements and rows."""

_ARGUMENT: Final = re.compile(r"(invalid input for query argument \$\d+):.*", re.DOTALL)
_QUOTED_VALUE: Final = re.compile(r'(?<=: )".*"|(?<=value )".*"(?= is out of range)', re.DOTALL)
"""A value that PostgreSQL refuses; the names in its messages are elsewhere."""

_MAX_PARAMETERS: Final = 10_000


def code_of(error: Exception) -> str | None:
    """The `code` of an exception, or the SQLSTATE that a database gave; None: none that an event can hold.

    The `code` of SQLAlchemy's exceptions is a link into its documents.
    """
    if type(error).__module__.startswith("sqlalchemy."):
        codes = [_sqlstate_of(error)]
    else:
        codes = [getattr(error, "code", None), _sqlstate_of(error)]
    for code in codes:
        if isinstance(code, str) and 0 < len(code) <= _MAX_CODE:
            return code
    return None


def message_of(error: Exception) -> str:
    """The message of an exception, cut to the size that an event can hold.

    A statement, its parameters and a row that a database quotes are left out.
    """
    text = _STATEMENT.split(str(error), maxsplit=1)[0][:_MAX_MESSAGE]
    if _sqlstate_of(error) is not None:
        text = _QUOTED_VALUE.sub('"…"', _ARGUMENT.sub(r"\1", text))
    parameters = {*islice(_texts_in(getattr(error, "params", None), len(text)), _MAX_PARAMETERS)}
    for value in sorted(parameters, key=len, reverse=True):
        if value in text:
            text = re.sub(rf"(?<![\w$]){re.escape(value)}(?!\w)", "…", text)
    return _storable(text.strip() or type(error).__name__)


def text_of(error: Exception) -> str:
    """An exception for people, as a column of a database can hold it."""
    return _storable(repr(error)[:_MAX_MESSAGE])


def _storable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _sqlstate_of(error: object) -> Any:
    """The code of PostgreSQL's drivers, also in SQLAlchemy's or Django's wrapper; None: no such error."""
    cause = getattr(error, "__cause__", None)
    for each in (error, getattr(error, "orig", None), cause):
        for name in ("sqlstate", "pgcode"):
            state = getattr(each, name, None)
            # An error of the caller's own that a database's caused has its own words.
            if state is not None and (each is not cause or str(cause) in str(error)):
                return state
    return None


def _texts_in(values: object, longest: int) -> Iterator[str]:
    """The parameters of a statement, at any depth, as a message of some length may quote them."""
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, list | tuple):
        for value in values:
            yield from _texts_in(value, longest)
    elif isinstance(values, str | bytes | bytearray) and len(values) > longest:
        return
    elif values is not None and not isinstance(values, bool):
        yield from (text for text in (str(values), repr(values)) if text)
