"""Logs: for people on a terminal, with the icons and colours of all output there, as JSON for machines."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import structlog
from rich.console import Console
from structlog.dev import (
    BRIGHT,
    DIM,
    RESET_ALL,
    Column,
    ConsoleRenderer,
    KeyValueColumnFormatter,
    LogLevelColumnFormatter,
)
from structlog.typing import EventDict, Processor, WrappedLogger

from llamalog_schemas.events import Category

PREFIX: Final = "[🦙 LlamaLog]"
"""The prefix of every line for people."""

_LIBRARIES = {"aiokafka": logging.WARNING, "faststream": logging.WARNING, "alembic": logging.WARNING}

_LOGGED_BY_RETRY = "Unable connect to"
"""The beginning of a line of aiokafka at every attempt; `retry` logs the first failure and the end."""

_QUIET_SECONDS = 60.0
"""A library repeats a line at every attempt: an equal one passes again after so long without it."""

_SECRET_NAMES: Final = re.compile(r"(?i)password|passwd|secret|token|authorization|cookie|dsn")
_PASSWORD_IN_URL: Final = re.compile(r"(://[^\s:/@]*):\S*@")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=:-]+")
_HIDDEN: Final = "***"


class Style(NamedTuple):
    """An icon of one cell, and one of a terminal's eight colours by name."""

    icon: str
    colour: str


STYLES: Final[Mapping[str, Style]] = {
    Category.CREATED: Style("+", "green"),
    Category.LINKED: Style("⇄", "cyan"),
    Category.ENRICHED: Style("↑", "blue"),
    Category.CORRECTED: Style("✎", "magenta"),
    Category.CACHED: Style("▣", "yellow"),
    Category.FAILED: Style("✗", "red"),
}
_UNKNOWN: Final = Style("?", "white")


def style_of(category: str) -> Style:
    """The style of a category; a legacy row may have an unknown one."""
    return STYLES.get(category, _UNKNOWN)


def printable(text: str, keep: str = "") -> str:
    """Text with control characters replaced, which a terminal would obey.

    Args:
        keep: control characters that may stay.
    """
    return "".join(
        character if character.isprintable() or character in keep else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def configure_logs(form: Literal["human", "json"], level: str) -> None:
    """Send every log line to standard error in one form.

    Values are escaped so that a line stays one line; passwords in addresses and values of secret names are
    left out.

    Args:
        form: `human` or `json`, one object a line.
        level: debug, info, warning or error.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_secrets,
                *(_for_machines() if form == "json" else _for_people(colours=_wants_colours())),
            ],
        )
    )
    handler.addFilter(lambda record: not str(record.msg).startswith(_LOGGED_BY_RETRY))
    handler.addFilter(_NotAtEveryAttempt())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for library, least in _LIBRARIES.items():
        logging.getLogger(library).setLevel(max(least, root.level))


def _for_machines() -> list[Processor]:
    """JSON escapes what is not ASCII, so that no value can end its line."""
    return [structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer()]


def _for_people(*, colours: bool) -> list[Processor]:
    dim, bright, reset = (DIM, BRIGHT, RESET_ALL) if colours else ("", "", "")

    def column(style: str, **more: Any) -> KeyValueColumnFormatter:
        return KeyValueColumnFormatter(None, style, reset, value_repr=str, **more)

    level_styles = ConsoleRenderer.get_default_level_styles(colors=colours)
    return [
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=True),
        _one_line,
        ConsoleRenderer(
            columns=[
                Column("", KeyValueColumnFormatter(dim, "", reset, value_repr=str)),
                Column("timestamp", column(dim, prefix=f"{bright}{PREFIX}{reset} ")),
                Column("level", LogLevelColumnFormatter(level_styles, reset)),
                Column("category", lambda _, word: _category(f"{word:9}", colours=colours)),
                Column("event", column(bright)),
                Column("categories", lambda _, counts: _counts(counts, colours=colours)),
                Column("logger", column(dim, prefix=f"{dim}[", postfix=f"{dim}]")),
            ],
            exception_formatter=structlog.dev.plain_traceback,  # others print local variables: secrets
            sort_keys=False,
        ),
    ]


def _wants_colours() -> bool:
    """As rich decides: NO_COLOR, FORCE_COLOR and TERM=dumb are respected."""
    console = Console(stderr=True)
    return console.is_terminal and not console.no_color and not console.is_dumb_terminal


def _category(word: str, *, colours: bool) -> str:
    icon, colour = style_of(word.strip())
    text = f"{icon} {word}"
    return f"{getattr(structlog.dev, colour.upper(), '')}{text}{RESET_ALL}" if colours else text


def _counts(counts: Mapping[str, int], *, colours: bool) -> str:
    return "  ".join(f"{_category(word, colours=colours)} {count:,}" for word, count in counts.items())


def _without_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {
        name: _HIDDEN if _SECRET_NAMES.search(name) else _hide_secrets(value) for name, value in event.items()
    }


def _hide_secrets(value: Any) -> Any:
    match value:
        case str():
            return _BEARER.sub(rf"\1 {_HIDDEN}", _PASSWORD_IN_URL.sub(rf"\1:{_HIDDEN}@", value))
        case Mapping():
            return {
                name: _HIDDEN if _SECRET_NAMES.search(str(name)) else _hide_secrets(held)
                for name, held in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_hide_secrets(held) for held in value]
        case int() | float() | None:
            return value
        case _:
            return _hide_secrets(str(value))


def _one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Values escaped and quoted so that none ends the line, steers the terminal, or passes for another."""
    escaped: EventDict = {}
    for name, value in event.items():
        if name in ("event", "category", "logger", "level", "timestamp"):
            escaped[name] = printable(str(value))
        elif name in ("exception", "stack"):
            escaped[name] = "\n".join(f"    │ {printable(line)}" for line in str(value).splitlines())
        elif name == "categories":
            escaped[name] = {printable(str(word)): count for word, count in value.items()}
        else:
            escaped[printable(name)] = _quoted(value if isinstance(value, str) else repr(value))
    return escaped


def _quoted(text: str) -> str:
    needs_quotes = not text.isprintable() or not text or set(text) & set(" ='\"")
    is_structure = text.isprintable() and text[:1] in "[{("
    return repr(text) if needs_quotes and not is_structure else text


class _NotAtEveryAttempt(logging.Filter):
    """Passes the first of a library's equal lines, which is a change of state, and drops its repetitions."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True for a line that is ours, or the first of its kind for a while."""
        if record.name.partition(".")[0] not in _LIBRARIES:
            return True
        kind = (record.name, str(record.msg))
        before = self._last.get(kind)
        self._last[kind] = record.created
        return before is None or record.created - before > _QUIET_SECONDS
