"""Writes of existing rows: one that PostgreSQL refuses is set aside, all others are written."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import structlog

from llamalog_service.domain.errors import RowExistsError, RowRefusedError, TookTooLongError
from llamalog_service.postgres.errors import NO_DATA, translated
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import Row, expand, sql

MAX_REASON: Final = 500
WRITE_REFUSALS: Final = (RowRefusedError, RowExistsError, TookTooLongError)
"""A statement may take too long for the trigger of one row."""

_NO_EFFECT: Final = "the update has no effect: a trigger, a rule or a policy of the table drops or changes it"

_BEGIN: Final = "SAVEPOINT row_writes; SET CONSTRAINTS ALL IMMEDIATE"
_ROLL_BACK: Final = "ROLLBACK TO SAVEPOINT row_writes; RELEASE SAVEPOINT row_writes"
_END: Final = "RELEASE SAVEPOINT row_writes"

_HAS_LATE_TRIGGERS: Final = expand("SELECT {has_late_triggers}")

_STAGE: Final = """
    CREATE TEMPORARY TABLE staged_rows ON COMMIT DROP AS
    SELECT row_number() OVER () AS number, w.* FROM (WANTED_ROWS) w
"""
_INDEX: Final = "ALTER TABLE pg_temp.staged_rows ADD PRIMARY KEY (number)"
_STAGED: Final = "SELECT * FROM pg_temp.staged_rows WHERE number BETWEEN $1 AND $2"
_PUT_OUT: Final = "UPDATE pg_temp.staged_rows SET number = -number WHERE number = ANY ($1::bigint[])"

_log = structlog.get_logger("llamalog.log")


class RowWrite(NamedTuple):
    """A statement that changes rows of the log, and the one that selects which.

    Attributes:
        name: in the list of rows set aside.
        rows: the named statement that selects the rows: `row_id`, and what the write needs.
        write: the named statement that writes WANTED_ROWS. It returns a record at least, and in each the
            number of rows that are not as wanted, `ineffective`.
        undone: the condition that the row `l` of the log is not as the selected row `w` wants it.
        aim: an expression over `w`, what the row is to become.
        most: refused rows that one transaction tries by themselves; None: as many as there are.
    """

    name: str
    rows: str
    write: str
    undone: str
    aim: str = "NULL::text"
    most: int | None = 1000

    def over(self, rows: str) -> str:
        """The write of rows that a statement selects."""
        return sql(self.write).replace("WANTED_ROWS", rows)


class Refusal(NamedTuple):
    """A row set aside: as it was selected, and why."""

    row: Row
    sqlstate: str
    reason: str


class Written(NamedTuple):
    """The result of a write.

    Attributes:
        records: of the statement, once or several times.
        refused: the rows set aside.
        is_complete: False if rows are left, since so many were refused: repeat the write.
    """

    records: Sequence[Row]
    refused: Sequence[Refusal]
    is_complete: bool = True


async def write_rows(connection: asyncpg.Connection, write: RowWrite, *values: Any) -> Written:
    """Write rows in the connection's transaction, and set those aside that PostgreSQL refuses.

    A row counts as refused if it, or a part of the write with it, raises an error that is not about the
    server, or if it is not as wanted after the write; a trigger after the write is given its time. The
    connection must keep no plans.

    Args:
        values: of the statement that selects the rows.

    Raises:
        UnavailableError: nothing was written.
    """
    if await connection.fetchval(_HAS_LATE_TRIGGERS):
        return await _Trial(connection, write).run(values)
    try:
        async with savepoint(connection):
            records = await connection.fetch(write.over(sql(write.rows)), *values)
            require_effect(records)
    except WRITE_REFUSALS:
        return await _Trial(connection, write).run(values)
    return Written(records, ())


async def write_by_halves(
    connection: asyncpg.Connection,
    name: str,
    rows: Sequence[UUID],
    write: Callable[[Sequence[UUID]], Awaitable[None]],
) -> dict[UUID, str]:
    """Write rows by several statements in the connection's transaction; those that are refused are set aside.

    Args:
        name: in the list of rows set aside.
        write: executes the statements for some of the rows.

    Returns:
        The reasons, by row.
    """
    refused: list[Refusal] = []
    shares = [rows]
    while shares:
        some = shares.pop()
        try:
            async with savepoint(connection):
                await write(some)
        except WRITE_REFUSALS as refusal:
            if len(some) == 1:
                refused.append(Refusal({"row_id": some[0], "aim": None}, *_reason(refusal)))
            else:
                middle = len(some) // 2
                shares += [some[middle:], some[:middle]]
    await _note(connection, name, refused)
    return {refusal.row["row_id"]: refusal.reason for refusal in refused}


class _NoEffectError(RowRefusedError):
    """Some of the rows are not as wanted after a write that raised no error."""

    def __init__(self, numbers: Sequence[int] = ()) -> None:
        super().__init__(_NO_EFFECT, NO_DATA)
        self.numbers = numbers


class _Trial:
    """The write of staged rows, by halves: one that is refused is put out, the others are written."""

    def __init__(self, connection: asyncpg.Connection, write: RowWrite) -> None:
        self._connection = connection
        self._write = write
        self._refusals: dict[int, Exception] = {}

    async def run(self, values: Sequence[Any]) -> Written:
        await self._connection.execute("DROP TABLE IF EXISTS pg_temp.staged_rows")
        staged = await self._connection.execute(_STAGE.replace("WANTED_ROWS", sql(self._write.rows)), *values)
        if not (total := rows_of(staged)):
            return Written((), ())
        await self._connection.execute(_INDEX)
        records: list[Row] = []
        ranges = [(1, total)]
        while ranges and (self._write.most is None or len(self._refusals) < self._write.most):
            first, last = ranges.pop()
            try:
                records += await self._write_range(first, last)
            except _NoEffectError as none:
                await self._put_out(none.numbers, none)
                ranges.append((first, last))
            except WRITE_REFUSALS as refusal:
                if first == last:
                    await self._put_out([first], refusal)
                else:
                    middle = (first + last) // 2
                    ranges += [(middle + 1, last), (first, middle)]
        refused = await self._refused()
        await _note(self._connection, self._write.name, refused)
        return Written(records, refused, is_complete=not ranges)

    async def _write_range(self, first: int, last: int) -> list[Row]:
        async with savepoint(self._connection):
            records: list[Row] = await self._connection.fetch(self._write.over(_STAGED), first, last)
            if undone := await self._undone(first, last):
                raise _NoEffectError(undone)
        return records

    async def _undone(self, first: int, last: int) -> list[int]:
        found = await self._connection.fetch(
            f"SELECT w.number FROM ({_STAGED}) w "  # noqa: S608 - statements of our own
            f"JOIN llama_logs l ON l.id = w.row_id WHERE {self._write.undone}",
            first,
            last,
        )
        return [record["number"] for record in found]

    async def _put_out(self, numbers: Sequence[int], refusal: Exception) -> None:
        await self._connection.execute(_PUT_OUT, numbers)
        self._refusals.update(dict.fromkeys(numbers, refusal))

    async def _refused(self) -> list[Refusal]:
        if not self._refusals:
            return []
        found = await self._connection.fetch(
            f"SELECT w.*, {self._write.aim} AS aim "  # noqa: S608 - an expression of our own
            "FROM pg_temp.staged_rows w WHERE number < 0"
        )
        return [Refusal(record, *_reason(self._refusals[-record["number"]])) for record in found]


@asynccontextmanager
async def savepoint(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Undo what a refusal ends; what would be checked at the commit is checked at once."""
    await connection.execute(_BEGIN)
    try:
        with translated():
            yield
    except WRITE_REFUSALS:
        await connection.execute(_ROLL_BACK)
        raise
    await connection.execute(_END)


def require_effect(records: Sequence[Row]) -> None:
    """Check that all rows of a write are as wanted.

    Raises:
        RowRefusedError: some are not.
    """
    if records[0]["ineffective"] > 0:
        raise _NoEffectError


def _reason(refusal: Exception) -> tuple[str, str]:
    return getattr(refusal, "sqlstate", None) or NO_DATA, str(refusal)


async def _note(connection: asyncpg.Connection, name: str, refused: Sequence[Refusal]) -> None:
    if not refused:
        return
    await connection.execute(
        sql("refused_rows_note"),
        name,
        [refusal.row["row_id"] for refusal in refused],
        [refusal.row["aim"] for refusal in refused],
        [refusal.sqlstate for refusal in refused],
        [refusal.reason[:MAX_REASON] for refusal in refused],
    )
    _log.warning(
        "rows set aside",
        write=name,
        rows=len(refused),
        first=str(refused[0].row["row_id"]),
        reason=refused[0].reason,
    )
