"""Named SQL: one statement per file, in the folder `sql/` of the capability that runs it; and reads by name.

Names are unique in the whole service; a test prepares every statement against the migrated schema.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import asyncpg

from llamalog_service.domain.errors import TookTooLongError, UnavailableError

_FRAGMENTS = ("piece", "row", "brief", "name", "weights", "lineage", "facts", "above", "verdict", "refused")
"""Text that several statements share, in `fragments/` beside this module; statements name it in braces."""

_ABBREVIATIONS = (
    (
        r"{(\w+) bears ([^{}]+)}",
        r"(hashtextextended(\1.job_id, 0) = hashtextextended(\2, 0) AND texteq(\1.job_id, \2))",
    ),
    (r"{(\w+) claims}", r"(\1.origin IS NOT NULL OR \1.is_root_job IS NOT TRUE)"),
    (r"{earliest (\w+)}", r"\1.created_at NULLS FIRST, \1.id"),
    (r"{latest (\w+)}", r"\1.created_at DESC NULLS LAST, \1.id DESC"),
)
"""How statements speak of a job's rows: `WHERE {l bears $1::text} ORDER BY {earliest l}`.

Names of jobs are long, so that their index keeps a hash of them instead: a condition without the hash has no
index, and one without the name is true of other jobs too. The name is compared by a function, for the planner
takes equalities for independent and would expect no rows. No row is without a time: NULLS FIRST is an order
that no other index has, and so keeps the planner from reading by time in the hope to meet its rows soon.
"""


@cache
def statement_files() -> Mapping[str, Traversable]:
    """The file of every named statement, by name.

    Raises:
        ValueError: two capabilities use the same name.
    """
    found: dict[str, Traversable] = {}
    for capability in files("llamalog_service").iterdir():
        folder = capability / "sql"
        if not folder.is_dir():
            continue
        for file in folder.iterdir():
            name = file.name.removesuffix(".sql")
            if name in found:
                raise ValueError(f"two statements are named {name}: {found[name]} and {file}")
            found[name] = file
    return found


@cache
def sql(name: str, *, brief: bool = False) -> str:
    """The text of the statement ``<capability>/sql/<name>.sql``, fragments and abbreviations expanded.

    Args:
        brief: select of each row what a list shows, instead of the whole of it.
    """
    text = statement_files()[name].read_text(encoding="utf-8")
    return expand(text.replace("{row}", "{brief}") if brief else text)


def expand(text: str) -> str:
    """Replace the fragments and abbreviations in braces that are known here; others stay."""
    for fragment in _FRAGMENTS:
        text = text.replace("{" + fragment + "}", _fragment(fragment))
    for abbreviation, meaning in _ABBREVIATIONS:
        text = re.sub(abbreviation, meaning, text)
    return text


@cache
def _fragment(name: str) -> str:
    file = files("llamalog_service.postgres").joinpath("fragments", f"{name}.sql")
    return file.read_text(encoding="utf-8").strip()


Row = Mapping[str, Any]
"""The values of a row by the names that its query gives them."""


class Reader:
    """Runs the statements in `sql/` by name; every method raises UnavailableError if PostgreSQL is away.

    If it has given a statement up that took too long, that is a TookTooLongError.

    Args:
        answer_within: seconds for a statement, waiting for a connection included; then PostgreSQL counts as
            away. None waits as long as the pool does.
    """

    def __init__(self, pool: asyncpg.Pool, answer_within: float | None = None) -> None:
        self._pool = pool
        self._answer_within = answer_within

    async def rows(self, name: str, *values: object, brief: bool = False) -> Sequence[Row]:
        """All rows of a query, brief or whole as of `sql`."""
        return await self.run(sql(name, brief=brief), *values)

    async def run(self, statement: str, *values: object) -> Sequence[Row]:
        """All rows of a statement that the store has composed."""
        async with self._bounded():
            records: Sequence[Row] = await self._pool.fetch(statement, *values)
        return records

    async def row(self, name: str, *values: object) -> Row:
        """The row of a query that always has one."""
        async with self._bounded():
            record: Row = await self._pool.fetchrow(sql(name), *values)
        return record

    async def value(self, name: str, *values: object) -> Any:
        """The one value of a query, None if it finds no row."""
        async with self._bounded():
            return await self._pool.fetchval(sql(name), *values)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._answer_within):
                yield
        except TimeoutError as error:
            raise UnavailableError(f"PostgreSQL has not answered for {self._answer_within} s.") from error
        except TookTooLongError as error:
            seconds = int(time.monotonic() - began)
            raise TookTooLongError(
                f"PostgreSQL took longer than {seconds} s for an answer, and has given up."
            ) from error
