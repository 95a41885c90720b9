"""The meaning of PostgreSQL's errors: a row or a login that is refused, or a server that is away."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from llamalog_service.domain.errors import (
    LlamalogError,
    LoginRefusedError,
    RowExistsError,
    RowRefusedError,
    RowsLockedError,
    TookTooLongError,
    UnavailableError,
)
from llamalog_service.settings import setting_name

_URL: Final = setting_name("database_url")
_PASSWORD_FILE: Final = setting_name("database_password_file")

_AWAY: Final = frozenset({"08", "25", "26", "28", "3D", "40", "53", "57", "58", "F0"})
"""Classes of codes that say something of the server, the session or the moment, whichever row it is."""

_OWN: Final = frozenset({"0A", "0B", "24", "34", "3F", "42", "55", "72", "XX"})
"""Classes of codes that say the same of a statement of ours, but in a trigger's function are of the row."""

_FILES: Final = frozenset({"58P01", "58P02"})
"""Of a class that says "away": a file or a library that a trigger's function uses and that is not there."""

_POLICY_CHECK: Final = "ExecWithCheckOptions"
"""PostgreSQL's function that refuses a row by a policy; the code is that of missing privileges."""

_RAISE: Final = "exec_stmt_raise"
"""PostgreSQL's function that executes RAISE in PL/pgSQL: the code is what a trigger's author chose."""

_COPY: Final = "COPY "

NO_DATA: Final = "02000"
"""The code of a row that PostgreSQL neither wrote nor refused."""


_LOGIN_REFUSALS: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28: the user, the password, pg_hba.conf
    asyncpg.InvalidCatalogNameError,  # there is no such database
    asyncpg.InsufficientPrivilegeError,  # the user may not connect to it
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.UndefinedObjectError,  # a setting in the URL that PostgreSQL does not know
    asyncpg.InvalidParameterValueError,
    asyncpg.ClientConfigurationError,  # the driver cannot use the URL
)
_NO_TLS: Final = "rejected SSL upgrade"
DRIVER_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's state machine, when a connection breaks at the wrong moment
)
"""Every error that asyncpg raises, or lets through from the network."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise the service's errors in place of the driver's.

    Raises:
        LlamalogError: one of those of `service_error`.
    """
    try:
        yield
    except DRIVER_ERRORS as error:
        raise service_error(error) from error


def service_error(error: Exception) -> LlamalogError:
    """The service's error in place of one of `DRIVER_ERRORS`.

    Returns:
        RowExistsError: another writer recorded a row's id first.
        RowRefusedError: the database refuses a row.
        RowsLockedError: another session holds the rows, for longer than a statement waits or in a deadlock.
        TookTooLongError: PostgreSQL has stopped a statement.
        UnavailableError: everything else, from a refused connection to a full disk.
    """
    if isinstance(error, asyncpg.PostgresError) and is_raised(error):
        return RowRefusedError(str(error), error.sqlstate)
    match error:
        case asyncpg.UniqueViolationError():
            is_known = is_known_id(error)
            return RowExistsError(str(error)) if is_known else RowRefusedError(str(error), error.sqlstate)
        case asyncpg.QueryCanceledError():
            return TookTooLongError(f"PostgreSQL: {error}")
        case asyncpg.LockNotAvailableError() | asyncpg.DeadlockDetectedError():
            return RowsLockedError(f"PostgreSQL: {error}")
        case asyncpg.PostgresError() if is_refusal(error):
            return RowRefusedError(str(error), error.sqlstate)
        case _:
            return UnavailableError(f"PostgreSQL: {type(error).__name__}: {error}")


@contextmanager
def refused_logins() -> Iterator[None]:
    """Raise LoginRefusedError where PostgreSQL answers and does not let a session begin."""
    try:
        yield
    except DRIVER_ERRORS as error:
        if refusal := login_refusal(error):
            raise refusal from error
        raise


def login_refusal(error: Exception) -> LoginRefusedError | None:
    """The refusal of a login; None if PostgreSQL does not answer, or something else failed."""
    match error:
        case asyncpg.ProtocolViolationError():
            return LoginRefusedError(
                f"What {_URL} leads to refuses the settings of a session ({error}), as a connection pooler "
                "does. Connect to PostgreSQL itself: settings and advisory locks here belong to sessions."
            )
        case ssl.SSLError():
            return LoginRefusedError(
                f"The TLS connection to PostgreSQL failed: {error}. Correct sslmode, sslrootcert, sslcert or "
                f"sslkey in {_URL}, or the server's certificate."
            )
        case ConnectionError() if _NO_TLS in str(error):
            return LoginRefusedError(
                f"PostgreSQL offers no TLS, which sslmode in {_URL} requires: {error}. Turn it on there, or "
                "change sslmode."
            )
        case _ if isinstance(error, _LOGIN_REFUSALS):
            return LoginRefusedError(
                f"PostgreSQL refuses the login: {error}. Correct the address, the database, the user or the "
                f"password in {_URL} (or in the file of {_PASSWORD_FILE}), or the server's rules for logins."
            )
        case _:
            return None


def is_refusal(error: asyncpg.PostgresError) -> bool:
    """Whether PostgreSQL refuses a row, by a type, a constraint, a policy or a trigger, rather than is away.

    What is not known to mean "away" is a refusal. An error that a trigger raised on purpose is one anyway.
    """
    kind = (error.sqlstate or "")[:2]
    if kind in _AWAY and error.sqlstate not in _FILES:
        return False
    return (
        kind not in _OWN | _AWAY or error.server_source_function == _POLICY_CHECK or _is_of_a_function(error)
    )


def is_raised(error: asyncpg.PostgresError) -> bool:
    """Whether a trigger raised the error on purpose: its code says nothing of the server."""
    return bool(error.server_source_function == _RAISE)


def is_known_id(error: asyncpg.UniqueViolationError) -> bool:
    """Whether a row of that id exists, by whichever name the key has that an adopted table's owner gave it.

    The detail is in the server's language but names the columns; it is left out where a policy hides the row.
    """
    if error.table_name != "llama_logs":
        return str(error.constraint_name).endswith("_pkey")
    return "(id)=(" in error.detail if error.detail else str(error.constraint_name).endswith("_pkey")


def _is_of_a_function(error: asyncpg.PostgresError) -> bool:
    """Whether an error was raised within a function, which the context names beside a COPY's line."""
    lines = (error.context or "").splitlines()
    return any(not line.startswith(_COPY) for line in lines)
