"""Check the database for what llamalog needs, at the start of a process; a fault ends the start.

While a process runs, a refused login counts as a database that is away, as in a failover or while a
password is being changed. At the start it is a wrong setting, which no waiting cures.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from llamalog_service.domain.errors import ExitCode, LlamalogError, LoginRefusedError
from llamalog_service.postgres.pool import SESSION, open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import DatabaseSettings, setting_name

SCHEMA_REVISION: Final = "0019"
"""The newest revision in `migrations/`; a test holds both equal, so that no start has to load Alembic."""

ENCODING: Final = "UTF8"
"""The encoding of a database that holds every name and counts lengths in characters."""

LOG: Final = "llama_logs"
OWN_TABLES: Final = (
    "consumer_positions",
    "root_overrides",
    "provenance_outbox",
    "backfill_runs",
    "legacy_values",
    "backfill_plan",
    "handled_requests",
    "publishing_progress",
    "removed_rows",
    "refused_rows",
    "root_corrections",
    "root_history",
    "history_start",
    "event_producers",
    "erasures",
    "retractions",
)
"""The tables that llamalog keeps beside the log."""

_SSL_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_REVISION: Final = "llamalog_revision"
_EXPECTED: Final = {
    name: SESSION[name]
    for name in ("jit", "statement_timeout", "lock_timeout", "row_security", "array_nulls")
}
"""Some settings of a session that a connection pooler does not pass on, as PostgreSQL writes them."""

_URL: Final = setting_name("database_url")


class DatabaseUnfitError(LlamalogError):
    """The database cannot be used with the given settings: waiting does not help."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, fault: str) -> None:
        super().__init__(f"{fault} Nothing was read or written.")


async def require_fit_database(
    settings: DatabaseSettings, *, writes: bool = True, timeout: float | None = None
) -> None:
    """Refuse a database that llamalog cannot work with; wait for one that is away.

    Args:
        writes: whether the process changes rows.
        timeout: seconds to wait for PostgreSQL; None waits without a limit.

    Raises:
        DatabaseUnfitError: the login is refused, a file that the URL names is missing, or the database lacks
            the encoding, the schema, or a privilege.
        UnavailableError: PostgreSQL did not answer within `timeout` seconds.
    """
    require_files(settings)

    async def check() -> None:
        async with open_pool(settings, name="llamalog start", most=1, answer_within=timeout or 60) as pool:
            reader = Reader(pool)
            try:
                state = await reader.row("database_state", [LOG, *OWN_TABLES], list(_EXPECTED))
            except LoginRefusedError as refused:
                raise DatabaseUnfitError(str(refused)) from refused
            fault = fault_of(state, writes=writes)
            if fault is None:
                fault = fault_of_revision(state, await reader.value("database_revision"))
            if fault is not None:
                raise DatabaseUnfitError(fault)

    await retry_until_available(check, doing="connecting to PostgreSQL", timeout=timeout)


def require_files(settings: DatabaseSettings) -> None:
    """Refuse a URL that names certificates or keys which cannot be read.

    Raises:
        DatabaseUnfitError: naming the file.
    """
    query = parse_qs(urlsplit(settings.database_dsn()).query)
    for name in _SSL_FILES:
        for file in query.get(name, ()):
            try:
                Path(file).read_bytes()
            except OSError as error:
                raise DatabaseUnfitError(
                    f"The file {file} ({name} in {_URL}) cannot be read: {error.strerror}. Correct the path "
                    "or its rights."
                ) from error


def encoding_fault(name: str, encoding: str) -> str | None:
    """The reason why a database of this encoding cannot be used; None for UTF8."""
    if encoding == ENCODING:
        return None
    return (
        f"The database {name} has the encoding {encoding}, and llamalog needs {ENCODING}: names in other "
        f"scripts would be refused or counted in bytes. Dump it, restore it into a database created with "
        f"ENCODING '{ENCODING}', and set {_URL} to that."
    )


def fault_of(state: Row, *, writes: bool) -> str | None:
    """The first reason why a database cannot be used.

    Args:
        state: of the statement `database_state`.
    """
    if (fault := encoding_fault(state["name"], state["encoding"])) is not None:
        return fault
    if (others := [row for row in state["settings"] if row[1] != _EXPECTED[row[0]]]) != []:
        found = ", ".join(f"{name} is {value}" for name, value in others)
        return (
            f"A session of the database {state['name']} lacks settings that it was opened with ({found}): "
            f"a connection pooler ignores them. Set {_URL} to PostgreSQL itself: settings and advisory locks "
            "here belong to sessions."
        )
    where = f"the schemas that {state['role']} searches ({state['search_path']})"
    if not state["is_migrated"]:
        return (
            f"The database {state['name']} has no log in {where}. Bring it to this version with `llamalog "
            f"migrate`; if the log is in another schema, add `?search_path=that_schema` to {_URL}, and grant "
            "USAGE on it."
        )
    if writes and state["rules"]:
        return (
            f"The table {LOG} in the database {state['name']} has the rule {state['rules'][0]}, which "
            "rewrites what is written. Drop it, or make it a trigger."
        )
    lacking = [f"{privilege} on {name}" for privilege, name in _lacking(state, writes=writes)]
    if lacking:
        return (
            f"The user {state['role']} lacks privileges in the database {state['name']}: "
            f"{', '.join(lacking)}. Grant them, or correct the user in {_URL}."
        )
    return None


def _lacking(state: Row, *, writes: bool) -> Iterator[tuple[str, str]]:
    """The privilege and the object of each that is lacking; the log's rows are deleted by a rebuild alone."""
    if not state["may_read_revision"]:
        yield "SELECT", _REVISION
    if writes and not state["may_create_temporary_tables"]:
        yield "TEMPORARY", f"the database {state['name']}"
    for table, *privileges in state["privileges"]:
        needed = dict(zip(("SELECT", "INSERT", "UPDATE", "DELETE"), privileges, strict=True))
        if table == LOG:
            del needed["DELETE"]
        for privilege, is_granted in needed.items():
            if not is_granted and (writes or privilege == "SELECT"):
                yield privilege, table


def fault_of_revision(state: Row, revision: str | None) -> str | None:
    """The reason why a schema cannot be used; a newer one can, as in a rolling upgrade."""
    if revision is not None and revision >= SCHEMA_REVISION:
        return None
    return (
        f"The database {state['name']} is at revision {revision or 'none'}, and this version of llamalog "
        f"needs {SCHEMA_REVISION}. Run `llamalog migrate`, then start again."
    )
