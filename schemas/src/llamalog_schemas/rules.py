"""Rules beyond types, for messages that their decoders have accepted."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from llamalog_schemas.commands import BackfillRoots, Command, TimeWindow
from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.events import EntityData, Event, FailureData, LegacyRow, is_legacy_row, is_root_override
from llamalog_schemas.legacy import parse_moment
from llamalog_schemas.limits import (
    EARLIEST_TIME,
    LATEST_TIME,
    MAX_INTEGER,
    MAX_NESTING,
    MIN_INTEGER,
    UUID_TEXT,
)

_NUL_ESCAPE: Final = b"\\u0000"


def check_event(event: Event, structured: bytes) -> None:
    """Check an event against the rules.

    Args:
        structured: the bytes in structured mode that the event was read from.

    Raises:
        InvalidMessageError: with the reason's code and a sentence that names the field.
    """
    if not EARLIEST_TIME <= event.time < LATEST_TIME:
        raise InvalidMessageError(
            InvalidReason.BAD_TIME,
            f"`time` is {event.time.isoformat()}; it must lie in the years 1970 to 2099 (UTC)",
        )
    if is_legacy_row(event):
        _check_legacy_row(event)
    elif not is_root_override(event):
        _check_entity(event.data)
    _check_no_nul(event, structured)


def check_command(command: Command, structured: bytes) -> None:
    """As `check_event`, of a command."""
    try:
        UUID(command.id)
    except ValueError:
        raise InvalidMessageError(
            InvalidReason.BAD_ENVELOPE, f"`id` is {command.id!r}: a command's id is a UUID, it names the run"
        ) from None
    if isinstance(command, BackfillRoots):
        _check_window(command)
    _check_no_nul(command, structured)


def _check_legacy_row(event: LegacyRow) -> None:
    if UUID_TEXT.fullmatch(event.id) is None:
        raise InvalidMessageError(
            InvalidReason.BAD_ENVELOPE, f"`id` is {event.id!r}: a legacy row's event bears the id of the row"
        )
    try:
        parse_moment(event.data.created_at)
    except ValueError as error:
        raise InvalidMessageError(InvalidReason.BAD_FIELD, f"`data.createdAt`: {error}") from None


def _check_entity(data: EntityData | FailureData) -> None:
    if data.job_id is not None and data.job_id == data.parent_job_id:
        raise InvalidMessageError(
            InvalidReason.SELF_PARENT,
            f"`data.parentJobId` equals `data.jobId` ({data.job_id}): no job starts itself",
        )
    if data.metadata is not None:
        _check_json(data.metadata, "data.metadata", MAX_NESTING)
    if data.preview_data is not None:
        _check_json(data.preview_data, "data.previewData", MAX_NESTING)


def _check_json(value: dict[str, Any] | list[Any], path: str, levels: int) -> None:
    """Refuse values that JSON allows and PostgreSQL's ``jsonb`` or a reader's stack does not."""
    if levels == 0:
        raise InvalidMessageError(
            InvalidReason.TOO_DEEP, f"`{path}` is nested deeper than {MAX_NESTING} levels"
        )
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is dict or kind is list:
            _check_json(item, path, levels - 1)
        elif kind is int and not MIN_INTEGER <= item <= MAX_INTEGER:
            raise InvalidMessageError(
                InvalidReason.NUMBER_OUT_OF_RANGE, f"`{path}` holds an integer that does not fit 64 bits"
            )


def _check_window(command: BackfillRoots) -> None:
    scope = command.data.scope
    if not isinstance(scope, TimeWindow):
        return
    for field, moment in (("from", scope.from_), ("to", scope.to)):
        if not _has_utc(moment):
            raise InvalidMessageError(
                InvalidReason.BAD_FIELD,
                f"`data.scope.{field}` is {moment.isoformat()}, outside the years 1 to 9999 in UTC",
            )
    if scope.from_ >= scope.to:
        raise InvalidMessageError(
            InvalidReason.BAD_FIELD,
            f"`data.scope.from` ({scope.from_.isoformat()}) is not before `data.scope.to` "
            f"({scope.to.isoformat()}): no row lies in that window",
        )


def _has_utc(moment: datetime) -> bool:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True


def _check_no_nul(message: Event | Command, structured: bytes) -> None:
    """Refuse NUL wherever it would reach the database; nesting has been checked before."""
    if b"\\" not in structured or _NUL_ESCAPE not in structured:  # most messages hold no backslash at all
        return
    fields = {"id": message.id, "source": message.source}
    fields |= {f"data.{field}": value for field, value in msgspec.to_builtins(message.data).items()}
    for field, value in fields.items():
        if _holds_nul(value):
            raise InvalidMessageError(
                InvalidReason.NUL_CHARACTER, f"`{field}` holds a NUL character (\\u0000)"
            )


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_nul, value.keys())) or any(map(_holds_nul, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value
