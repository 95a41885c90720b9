"""The meaning of PostgreSQL's errors: a row that is refused, or a server that is away."""

from typing import Final

import asyncpg

_AWAY: Final = frozenset({"08", "25", "26", "28", "3D", "40", "53", "57", "58", "F0"})
"""Classes of codes that say something of the server, the session or the moment, whichever row it is."""

_OWN: Final = frozenset({"0A", "0B", "24", "34", "3F", "42", "55", "72", "XX"})
"""Classes of codes that say the same of a statement of ours, but in a trigger's function are of the row."""

_POLICY_CHECK: Final = "ExecWithCheckOptions"
"""PostgreSQL's function that refuses a row by a policy; the code is that of missing privileges."""

_RAISE: Final = "exec_stmt_raise"
"""PostgreSQL's function that executes RAISE in PL/pgSQL: the code is what a trigger's author chose."""

_COPY: Final = "COPY "

NO_DATA: Final = "02000"
"""The code of a row that PostgreSQL neither wrote nor refused."""


def is_refusal(error: asyncpg.PostgresError) -> bool:
    """Whether PostgreSQL refuses a row, by a type, a constraint, a policy or a trigger, rather than is away.

    What is not known to mean "away" is a refusal. An error that a trigger raised on purpose is one anyway.
    """
    kind = (error.sqlstate or "")[:2]
    if kind in _AWAY:
        return False
    return kind not in _OWN or error.server_source_function == _POLICY_CHECK or _is_of_a_function(error)


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
