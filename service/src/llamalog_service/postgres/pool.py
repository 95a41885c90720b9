"""Pools of PostgreSQL connections: settings, JSON, the service's errors in place of the driver's."""

import asyncio
import re
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final

import asyncpg
import msgspec
from asyncpg.pool import PoolAcquireContext

from llamalog_schemas.limits import MAX_INTEGER, MAX_NESTING, MIN_INTEGER, nested_deeper_than
from llamalog_service.domain.errors import (
    LlamalogError,
    LoginRefusedError,
    RowExistsError,
    RowRefusedError,
    RowsLockedError,
    TookTooLongError,
    UnavailableError,
)
from llamalog_service.postgres.errors import is_known_id, is_raised, is_refusal
from llamalog_service.postgres.shared_types import SessionOfSharedTypes, shared_types
from llamalog_service.settings import DatabaseSettings, setting_name

_URL: Final = setting_name("database_url")
_PASSWORD_FILE: Final = setting_name("database_password_file")
_JSONB_VERSION = b"\x01"
_LONG_INTEGER = re.compile(rb"\d{19}")

_MAX_QUERIES = 50_000
_IDLE_SECONDS = 300.0
"""As the driver has them by default: a connection is closed after so many queries, or so long without one."""
_SILENCE_SECONDS = 1
"""Added to a statement's time, for PostgreSQL's own answer that it took too long."""
_ANSWERS_WITHIN = 3600.0
_CONNECTED_WITHIN = 60.0
_KEEPALIVES: Final[Mapping[str, int]] = {
    "SO_KEEPALIVE": 1,
    "TCP_KEEPIDLE": 20,
    "TCP_KEEPINTVL": 10,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 60_000,
}
"""A server that vanishes without a word, as by a loss of power, is noticed after a minute: no statement
waits until its own time is over, which for a recompute is an hour. What the system lacks is left out."""
SESSION: Final[Mapping[str, str]] = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "4",
    "tcp_user_timeout": "60000",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "transform_null_equals": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "row_security": "on",
    "plan_cache_mode": "auto",
    "jit": "off",
}
"""The settings that every session depends on, so that those of the role or of the database do not count.

With the first four PostgreSQL notices a vanished client after a minute, and gives its locks to others:
that of the one worker too, which would be held for two hours.
`search_path` is part of the URL (`DatabaseSettings.database_dsn`).
"""
_TRANSACTION_TIMEOUT_SINCE = 17
NO_TRANSACTION_TIMEOUT: Final = "SET transaction_timeout = 0"
"""Not among `SESSION`: an older PostgreSQL refuses a connection that sets what it does not know."""

_ONLY_READS = {"plan_cache_mode": "force_generic_plan", "default_transaction_read_only": "on"}

_LOGIN_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28: the user, the password, pg_hba.conf
    asyncpg.InvalidCatalogNameError,  # there is no such database
    asyncpg.InsufficientPrivilegeError,  # the user may not connect to it
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.UndefinedObjectError,  # a setting in the URL that PostgreSQL does not know
    asyncpg.InvalidParameterValueError,
    asyncpg.ClientConfigurationError,  # the driver cannot use the URL
)
_NO_TLS = "rejected SSL upgrade"
_DRIVER_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's state machine, when a connection breaks at the wrong moment
)
"""Every error that asyncpg raises, or lets through from the network."""


@asynccontextmanager
async def open_pool(
    settings: DatabaseSettings,
    *,
    name: str,
    keep_plans: bool = True,
    only_reads: bool = False,
    clears: bool = True,
    most: int = 4,
    answer_within: float | None = 60,
    idle_within: float | None = None,
) -> AsyncIterator[asyncpg.Pool]:
    """A pool that connects at first use, so that a database that is away is waited for.

    Every query of the service has its index, and none may be given a scan of the table because it was
    planned while the table was small.

    Args:
        name: what PostgreSQL shows as the application.
        keep_plans: False, for the recompute, plans every statement anew and may scan.
        only_reads: plans each statement once for all values, and clears nothing.
        clears: False: its user leaves no setting, lock or listener in a session that had to be cleared after
            use, which is half of the time of a short query.
        most: connections.
        answer_within: whole seconds for a statement, or for a connection to be made; None: a statement may
            take for ever.
        idle_within: seconds after which PostgreSQL ends a session that does nothing within a transaction; a
            process that is frozen there would keep its locks from all others. None: never.
    """
    pool = create_pool(
        settings.database_dsn(),
        min_size=0,
        max_size=most,
        timeout=answer_within or _CONNECTED_WITHIN,
        command_timeout=_statement_timeout(answer_within, short=keep_plans),
        statement_cache_size=100 if keep_plans else 0,
        server_settings={
            **SESSION,
            "application_name": name,
            "enable_seqscan": "off" if keep_plans else "on",
            **(_ONLY_READS if only_reads else {}),
            # PostgreSQL itself ends a query that takes too long; no answer then means that it is away.
            **({"statement_timeout": f"{answer_within:.0f}s"} if only_reads and answer_within else {}),
            **({"idle_in_transaction_session_timeout": f"{idle_within * 1000:.0f}"} if idle_within else {}),
        },
        reset=_leave_as_it_is if only_reads or not clears else None,
    )
    async with pool:
        yield pool


def _statement_timeout(answer_within: float | None, *, short: bool) -> float | None:
    """Seconds; those that plan anew, and may scan, are given longer than the `short` ones."""
    if answer_within is None:
        return None
    return answer_within + _SILENCE_SECONDS if short else _ANSWERS_WITHIN


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """Clear nothing; a transaction that is open was rolled back before."""


def create_pool(
    dsn: str,
    *,
    min_size: int = 0,
    max_size: int = 10,
    init: Callable[[asyncpg.Connection], Awaitable[None]] | None = None,
    reset: Callable[[asyncpg.Connection], Awaitable[None]] | None = None,
    **connect: Any,
) -> "Pool":
    """A pool that is opened by ``async with`` or ``await``.

    Args:
        init: prepares a new connection; by default `prepare_connection`.
        connect: further arguments of `asyncpg.connect`.
    """
    return Pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        max_queries=_MAX_QUERIES,
        max_inactive_connection_lifetime=_IDLE_SECONDS,
        init=partial(_init, init or prepare_connection),
        reset=reset,
        loop=None,
        connection_class=type(
            "_PoolSession", (_Session,), {"__slots__": (), "shared_types": shared_types(dsn)}
        ),
        record_class=asyncpg.Record,
        **connect,
    )


class _Session(SessionOfSharedTypes):
    """A connection that keeps the settings of `SESSION` when given back, and notices a server's silence."""

    __slots__ = ()

    def __init__(self, protocol: Any, transport: asyncio.Transport, *others: Any) -> None:
        super().__init__(protocol, transport, *others)
        end = transport.get_extra_info("socket")
        if end is not None and end.family in (socket.AF_INET, socket.AF_INET6):
            _keep_alive(end)

    def get_reset_query(self) -> str:
        """The statements that clear a session between two users."""
        reset = str(super().get_reset_query())
        return f"{reset}\n{NO_TRANSACTION_TIMEOUT};" if has_transaction_timeout(self) else reset


async def _init(prepare: Callable[[_Session], Awaitable[None]], connection: _Session) -> None:
    await connection.share_types()
    await prepare(connection)


def _keep_alive(end: socket.socket) -> None:
    for name, value in _KEEPALIVES.items():
        if hasattr(socket, name):
            level = socket.SOL_SOCKET if name.startswith("SO_") else socket.IPPROTO_TCP
            end.setsockopt(level, getattr(socket, name), value)


class Pool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg has no types
    """A pool that raises the errors of `translated` in place of the driver's.

    They are translated where a connection is given back: at the end of ``async with pool.acquire()``, and so
    in the pool's own `fetch` or `execute`. Within such a block the driver's own errors are raised.
    """

    __slots__ = ()

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        """A connection for as long as the context lasts.

        Raises:
            LlamalogError: one of those of `translated`.
        """
        return _Acquired(self, timeout)


class _Acquired(PoolAcquireContext):  # type: ignore[misc]
    __slots__ = ()

    async def __aenter__(self) -> asyncpg.Connection:
        with translated(), refused_logins():
            return await super().__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        with translated():
            await super().__aexit__(kind, error, traceback)
            if isinstance(error, _DRIVER_ERRORS):
                raise error


@contextmanager
def translated() -> Iterator[None]:
    """Raise the service's errors in place of the driver's.

    Raises:
        RowExistsError: another writer recorded a row's id first.
        RowRefusedError: the database refuses a row.
        RowsLockedError: another session holds the rows, for longer than a statement waits or in a deadlock.
        TookTooLongError: PostgreSQL has stopped a statement.
        UnavailableError: everything else, from a refused connection to a full disk.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _meaning_of(error) from error
    except _DRIVER_ERRORS as error:
        raise UnavailableError(f"PostgreSQL: {type(error).__name__}: {error}") from error


def _meaning_of(error: asyncpg.PostgresError) -> LlamalogError:
    if is_raised(error):
        return RowRefusedError(str(error), error.sqlstate)
    match error:
        case asyncpg.UniqueViolationError():
            is_known = is_known_id(error)
            return RowExistsError(str(error)) if is_known else RowRefusedError(str(error), error.sqlstate)
        case asyncpg.QueryCanceledError():
            return TookTooLongError(f"PostgreSQL: {error}")
        case asyncpg.LockNotAvailableError() | asyncpg.DeadlockDetectedError():
            return RowsLockedError(f"PostgreSQL: {error}")
        case _ if is_refusal(error):
            return RowRefusedError(str(error), error.sqlstate)
        case _:
            return UnavailableError(f"PostgreSQL: {type(error).__name__}: {error}")


@contextmanager
def refused_logins() -> Iterator[None]:
    """Raise LoginRefusedError where PostgreSQL answers and does not let a session begin."""
    try:
        yield
    except asyncpg.ProtocolViolationError as error:
        raise LoginRefusedError(
            f"What {_URL} leads to refuses the settings of a session ({error}), as a connection pooler does. "
            "Connect to PostgreSQL itself: settings and advisory locks here belong to sessions."
        ) from error
    except ssl.SSLError as error:
        raise LoginRefusedError(
            f"The TLS connection to PostgreSQL failed: {error}. Correct sslmode, sslrootcert, sslcert or "
            f"sslkey in {_URL}, or the server's certificate."
        ) from error
    except ConnectionError as error:
        if _NO_TLS not in str(error):
            raise
        raise LoginRefusedError(
            f"PostgreSQL offers no TLS, which sslmode in {_URL} requires: {error}. Turn it on there, or "
            "change sslmode."
        ) from error
    except _LOGIN_REFUSALS as error:
        raise LoginRefusedError(
            f"PostgreSQL refuses the login: {error}. Correct the address, the database, the user or the "
            f"password in {_URL} (or in the file of {_PASSWORD_FILE}), or the server's rules for logins."
        ) from error


def has_transaction_timeout(connection: asyncpg.Connection) -> bool:
    """Whether a connection's PostgreSQL knows `transaction_timeout`."""
    return bool(connection.get_server_version().major >= _TRANSACTION_TIMEOUT_SINCE)


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """Let a new connection read and write JSON through msgspec, and last as long as its transactions."""
    if has_transaction_timeout(connection):
        await connection.execute(NO_TRANSACTION_TIMEOUT)
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
    # Each level takes an opening and a closing bracket: most values are too short to be looked at.
    if len(value) > 2 * MAX_NESTING and nested_deeper_than(value, MAX_NESTING):
        return msgspec.Raw(value[1:])
    try:
        decoded = msgspec.json.decode(value[1:])
    except msgspec.DecodeError:
        return msgspec.Raw(value[1:])
    return _short_numbers(decoded) if _LONG_INTEGER.search(value) else decoded


def _short_numbers(value: Any) -> Any:
    """Undo how `jsonb` writes a float, 1e300 as 301 digits: a row could outgrow every topic."""
    if isinstance(value, dict):
        return {key: _short_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short_numbers(item) for item in value]
    if isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER:
        return float(value) if abs(value) <= sys.float_info.max else value
    return value


def rows_of(status: str) -> int:
    """The number of rows that a statement touched, from its command tag."""
    return int(status.rpartition(" ")[2])
