"""Logs: for people on a terminal, as JSON for machines; the libraries' lines in the same form."""

import logging
import sys
from typing import Literal

import structlog

_LIBRARIES = {"aiokafka": logging.WARNING, "faststream": logging.WARNING, "alembic": logging.WARNING}

_TOLD_BY_WAITING = "Unable connect to"
"""How aiokafka begins a line that it writes at every attempt; we tell of the first failure and of the end."""


_QUIET_SECONDS = 60.0
"""A library's line is told again when it has not come for so long: it writes one at every attempt."""


def configure_logs(form: Literal["human", "json"], level: str) -> None:
    """Send every log line to standard error in one form.

    Args:
        form: `human` or `json`, one object a line.
        level: debug, info, warning or error.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
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
    final: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    handler.addFilter(lambda record: not str(record.msg).startswith(_TOLD_BY_WAITING))
    handler.addFilter(_NotAtEveryAttempt())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for library, least in _LIBRARIES.items():
        logging.getLogger(library).setLevel(max(least, root.level))


class _NotAtEveryAttempt(logging.Filter):
    """Lets the first of a library's equal lines pass: what it tells is a change of state, the rest is not."""

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
