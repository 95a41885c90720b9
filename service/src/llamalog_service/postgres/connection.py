"""Connections as the store needs them, and the driver's errors in our words."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import msgspec

from llamalog_schemas.limits import MAX_INTEGER, MAX_NESTING, MIN_INTEGER
from llamalog_schemas.nesting import nested_deeper_than
from llamalog_service.domain.errors import RowExistsError, RowRefusedError, TookTooLongError, UnavailableError

_JSONB_VERSION = b"\x01"
_LONG_INTEGER = re.compile(rb"\d{19}")
_PRIMARY_KEY = "_pkey"

_ROW_REFUSALS = (
    asyncpg.DataError,  # class 22: a value that the type does not hold
    asyncpg.IntegrityConstraintViolationError,  # class 23: a constraint that somebody added
    asyncpg.ProgramLimitExceededError,  # class 54: an index key or a nesting too large
)
_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's state machine, when a connection breaks at the wrong moment
)


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """What every connection of a pool is given at birth: JSON through msgspec, times in UTC."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=_encode_jsonb,
        decoder=_decode_jsonb,
    )


def _encode_jsonb(value: Any) -> bytes:
    return _JSONB_VERSION + msgspec.json.encode(value)


def _decode_jsonb(value: bytes) -> Any:
    """The value, or its text as Raw where it is nested, or its numbers long, beyond what events may bring."""
    if nested_deeper_than(value, MAX_NESTING):
        return msgspec.Raw(value[1:])
    try:
        decoded = msgspec.json.decode(value[1:])
    except msgspec.DecodeError:
        return msgspec.Raw(value[1:])
    return _short_numbers(decoded) if _LONG_INTEGER.search(value) else decoded


def _short_numbers(value: Any) -> Any:
    """Undo how `jsonb` writes a float, 1e300 as 301 digits: told anew, a row could outgrow every topic."""
    if isinstance(value, dict):
        return {key: _short_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short_numbers(item) for item in value]
    if isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER:
        return float(value) if abs(value) <= sys.float_info.max else value
    return value


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors in place of the driver's.

    Raises:
        RowExistsError: another writer recorded a row's id first.
        RowRefusedError: the database refuses a value for good.
        TookTooLongError: PostgreSQL has stopped a statement.
        UnavailableError: everything else, from a refused connection to a full disk.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if str(error.constraint_name).endswith(_PRIMARY_KEY):
            raise RowExistsError(str(error)) from error
        raise RowRefusedError(str(error), error.sqlstate) from error
    except asyncpg.QueryCanceledError as error:
        raise TookTooLongError(f"PostgreSQL: {error}") from error
    except _ROW_REFUSALS as error:
        raise RowRefusedError(str(error), error.sqlstate) from error
    except _UNAVAILABLE as error:
        raise UnavailableError(f"PostgreSQL: {type(error).__name__}: {error}") from error
