"""Pools of PostgreSQL sessions: settings, types and JSON, the service's errors in place of the driver's."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from types import SimpleNamespace, TracebackType
from typing import Any, ClassVar, Final

import asyncpg
import msgspec
from asyncpg.pool import PoolAcquireContext

from llamalog_schemas.huge_numbers import decoder_of
from llamalog_schemas.limits import MAX_INTEGER, MAX_NESTING, MIN_INTEGER, nested_deeper_than
from llamalog_service.postgres.errors import DRIVER_ERRORS, login_refusal, service_error
from llamalog_service.settings import DatabaseSettings

_JSONB_VERSION = b"\x01"
_LONG_NUMBER = re.compile(rb"\d{19}")
_json_decoder: Final = msgspec.json.Decoder()
_long_numbers_decoder: Final = decoder_of(Any)
"""Of the 326 digits that `jsonb` makes of 5e-324 msgspec takes seven times as long as Python."""

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
    "array_nulls": "on",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "exit_on_error": "off",
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

_SHARED_KINDS: Final = {b"b", b"e"}
"""Base types, arrays among them, and enums: the others have parts, which may change under the same number."""
_STANDING: Final = """
    SELECT t.oid, t.typname AS name, t.typtype AS kind, t.typelem AS elemtype
    FROM pg_type t WHERE t.oid = ANY ($1::oid[])
"""
_KEPT: Final = SimpleNamespace(name="kept")
"""In place of the driver's own statement, which was not executed: no other was replaced by it."""

_ONLY_READS = {"plan_cache_mode": "force_generic_plan", "default_transaction_read_only": "on"}


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


class _Session(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that keeps the settings of `SESSION` when given back, and notices a server's silence.

    Of types it looks up those alone which none before it has looked up.
    """

    __slots__ = ("_may_share",)
    shared_types: ClassVar["SharedTypes"]

    def __init__(self, protocol: Any, transport: asyncio.Transport, *others: Any) -> None:
        super().__init__(protocol, transport, *others)
        self._may_share = False
        end = transport.get_extra_info("socket")
        if end is not None and end.family in (socket.AF_INET, socket.AF_INET6):
            _keep_alive(end)

    def get_reset_query(self) -> str:
        """The statements that clear a session between two users."""
        reset = str(super().get_reset_query())
        return f"{reset}\n{NO_TRANSACTION_TIMEOUT};" if has_transaction_timeout(self) else reset

    async def share_types(self) -> None:
        """Use the types that are known, if this session's database has them; to be called once connected."""
        await self.shared_types.verify(self)
        self._may_share = True

    async def _introspect_types(self, typeoids: Collection[int], timeout: float | None) -> Any:
        known = self.shared_types.find(typeoids) if self._may_share else None
        if known is not None:
            return known, _KEPT
        types, statement = await super()._introspect_types(typeoids, timeout)
        if self._may_share:
            self.shared_types.add(types)
        return types, statement

    def _drop_local_type_cache(self) -> None:
        self.shared_types.clear()
        super()._drop_local_type_cache()


class SharedTypes:
    """The types that sessions have looked up: to plan the driver's statement takes PostgreSQL 5 ms."""

    def __init__(self) -> None:
        self._types: dict[int, asyncpg.Record] = {}

    def find(self, oids: Iterable[int]) -> list[asyncpg.Record] | None:
        """All that is known, the elements of an array before it, if these are; else None."""
        return list(self._types.values()) if self._types.keys() >= set(oids) else None

    def add(self, types: Sequence[asyncpg.Record]) -> None:
        """Keep types, as the driver has looked them up with those that they are made of."""
        if all(found["kind"] in _SHARED_KINDS for found in types):
            for found in types:
                self._types.setdefault(found["oid"], found)

    def clear(self) -> None:
        """Forget all."""
        self._types.clear()

    async def verify(self, session: asyncpg.Connection) -> None:
        """Forget all, if the session's database has not the same types: it may be another one by now."""
        if not self._types:
            return
        known = {_identity(found) for found in self._types.values()}
        if known != {_identity(found) for found in await session.fetch(_STANDING, list(self._types))}:
            self.clear()


@lru_cache(maxsize=16)
def shared_types(dsn: str) -> SharedTypes:
    """The types of a database, for all pools of the process."""
    return SharedTypes()


def _identity(found: asyncpg.Record) -> tuple[Any, ...]:
    return found["oid"], found["name"], found["kind"], found["elemtype"] or 0


async def _init(prepare: Callable[[_Session], Awaitable[None]], connection: _Session) -> None:
    await connection.share_types()
    await prepare(connection)


def _keep_alive(end: socket.socket) -> None:
    for name, value in _KEEPALIVES.items():
        if hasattr(socket, name):
            level = socket.SOL_SOCKET if name.startswith("SO_") else socket.IPPROTO_TCP
            end.setsockopt(level, getattr(socket, name), value)


class Pool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg has no types
    """A pool that raises the errors of `service_error` in place of the driver's.

    They are translated where a connection is given back: at the end of ``async with pool.acquire()``, and so
    in the pool's own `fetch` or `execute`. Within such a block the driver's own errors are raised.
    """

    __slots__ = ()

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        """A connection for as long as the context lasts.

        Raises:
            LlamalogError: one of those of `service_error`, or LoginRefusedError.
        """
        return _Acquired(self, timeout)


class _Acquired(PoolAcquireContext):  # type: ignore[misc]
    __slots__ = ()

    async def __aenter__(self) -> asyncpg.Connection:
        try:
            return await super().__aenter__()
        except DRIVER_ERRORS as failure:
            raise login_refusal(failure) or service_error(failure) from failure

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        try:
            await super().__aexit__(kind, error, traceback)
        except DRIVER_ERRORS as failure:
            raise service_error(failure) from failure
        if isinstance(error, DRIVER_ERRORS):
            raise service_error(error) from error


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
    has_long_numbers = _LONG_NUMBER.search(value) is not None
    try:
        decoded = (_long_numbers_decoder if has_long_numbers else _json_decoder).decode(value[1:])
    except msgspec.DecodeError:
        return msgspec.Raw(value[1:])
    return _short_numbers(decoded) if has_long_numbers else decoded


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
