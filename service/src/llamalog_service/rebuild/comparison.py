"""The live table and the shadow side by side, in one snapshot in which rows and positions agree."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

from llamalog_schemas.commands import WholeTable
from llamalog_service.log.eventless_rows import Eventless
from llamalog_service.log.root_rule import MEMORY, prepare_rule, rows_of
from llamalog_service.postgres.statements import Record, sql
from llamalog_service.rebuild.kept_shadow import kept_shadow
from llamalog_service.rebuild.shadow import END_WITH_CLIENT, SCHEMA, Read, Told, read_so_far, record_told

_KEEP_ROOTS: Final = """
    INSERT INTO llamalog_rebuild.roots (row_id, root_job_id, origin, cycle_members, parent_conflict)
    SELECT row_id, root_job_id, origin, cycle_members, parent_conflict FROM (RULE) ruled
"""
_IN_THE_SHADOW: Final = (
    f"SELECT set_config('search_path', '{SCHEMA}, ' || current_setting('search_path'), true)"
)
_ANALYZE: Final = (
    f"ANALYZE {SCHEMA}.llama_logs (id, job_id, parent_job_id, declared_root_job_id, origin); "
    f"ANALYZE {SCHEMA}.legacy_rows"
)
"""Of the columns that anything is joined or grouped by: the statistics of all the others take a second."""

_CHECKSUM_MODULUS: Final = 2**128
_NOT_LOOKED_AT: Final = "none"
"""Stands for the origin of a row that another writer has put in."""


class Only(NamedTuple):
    """The rows that a comparison is about: of these roots, or about these entities; empty: all."""

    roots: tuple[str, ...] = ()
    entities: tuple[UUID, ...] = ()


class Chosen(NamedTuple):
    """What was told more than once.

    Attributes:
        repetitions: rows left out of the shadow, their id being there already.
        contested: ids under which several contents were told.
        kept_as_live: those of them of which the live table keeps another than a legacy row's, or else the
            lowest offset's.
    """

    repetitions: int
    contested: int
    kept_as_live: int


class OverrideDifferences(NamedTuple):
    """Differing overrides by kind."""

    missing: int
    extra: int
    different: int


class Side(Struct, frozen=True, rename="camel"):
    """One side of a comparison in numbers; the checksum is the same in whatever order rows come."""

    rows: int
    checksum: str
    by_category: dict[str, int]
    by_origin: dict[str, int]
    by_day: dict[str, int]


class Settling(NamedTuple):
    """How many rows still differ in their roots alone, and whether repairs are under way."""

    left: int
    repairing: bool


class Snapshot:
    """A transaction that sees the live table as of one moment, and writes to the shadow alone."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def positions(self, group: str, topic: str) -> dict[int, int]:
        """Up to where the live table's rows come from the topic, by partition."""
        records = await self._connection.fetch(sql("positions"), group, topic)
        return {record["partition"]: record["next_offset"] for record in records}

    async def read_so_far(self) -> Read:
        """How far the shadow is."""
        return await read_so_far(self._connection)

    async def record(self, told: Told) -> None:
        """Write a portion to the shadow."""
        await record_told(self._connection, told)

    async def take_as_they_stand(self) -> Eventless:
        """Take into the shadow what no event tells of, as it stands in the live table."""
        rows = rows_of(await self._connection.execute(sql("shadow_standing")))
        overrides = rows_of(await self._connection.execute(sql("shadow_standing_overrides")))
        return Eventless(rows, overrides)

    async def forget(self) -> None:
        """Leave in the shadow what was told alone; a try whose end is not known may have written more."""
        await self._connection.execute(sql("shadow_forget"))

    async def choose(self) -> Chosen:
        """Leave one row of each id, and one override."""
        await self._connection.execute(MEMORY)
        await self._connection.execute(_ANALYZE)
        chosen = await self._connection.fetchrow(sql("shadow_chosen"))
        await self._connection.execute(sql("shadow_chosen_overrides"))
        return Chosen(*chosen)

    async def resolve(self) -> None:
        """Work out the roots of the shadow's rows by the statements that plan a backfill."""
        before = await self._connection.fetchval(_IN_THE_SHADOW)
        await self._connection.execute(sql("shadow_roots"))
        rule = await prepare_rule(self._connection, WholeTable())
        await self._connection.execute(rule.over(_KEEP_ROOTS), *rule.values)
        await self._connection.execute(f"ANALYZE {SCHEMA}.roots")
        await self._connection.execute(
            "SELECT set_config('search_path', $1, true)", before.removeprefix(f"{SCHEMA}, ")
        )

    async def compare(self, only: Only) -> None:
        """Note every difference."""
        await self._connection.execute(sql("compare_rows"), *only)
        await self._connection.execute(sql("compare_unseen"))
        await self._connection.execute(sql("compare_revisions"))

    async def eventless_rows(self) -> int:
        """How many of the live rows that were there before events existed have none."""
        return int(await self._connection.fetchval(sql("compare_eventless")))

    async def some_eventless(self, limit: int) -> list[UUID]:
        """The first of these rows."""
        return [record["id"] for record in await self._connection.fetch(sql("eventless_some"), limit)]

    async def differing_overrides(self) -> OverrideDifferences:
        """Overrides that the two sides do not have alike."""
        return OverrideDifferences(*await self._connection.fetchrow(sql("compare_overrides")))

    async def sides(self, only: Only) -> tuple[Side, Side]:
        """The live table and the shadow in numbers."""
        records = await self._connection.fetch(sql("compare_counts"), *only)
        return _side(records, "live"), _side(records, "rebuilt")

    async def end(self) -> None:
        """Note that all is there that whoever mends or fills builds upon."""
        await self._connection.execute(f"INSERT INTO {SCHEMA}.comparison VALUES (now())")  # noqa: S608


class ComparisonStore:
    """Comparisons over a pool whose connections plan every statement anew.

    What looks back at one raises ShadowLostError where the shadow does not hold it any more.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """A snapshot; what was written to the shadow stays if the context ends well.

        No statement before the first of the snapshot's own may read a row: that one sets the moment.
        """
        async with self._pool.acquire() as connection:
            await connection.execute(sql("compare_prepare"))
            async with connection.transaction(isolation="repeatable_read"):
                await connection.execute(END_WITH_CLIENT)
                yield Snapshot(connection)

    async def settling(self) -> Settling:
        """Look which roots live traffic has corrected since the comparison."""
        async with kept_shadow(self._pool) as connection:
            return Settling(*await connection.fetchrow(sql("compare_settling")))

    async def summary(self) -> Sequence[Record]:
        """The differences by kind, and by kind and column (`column` None: of the kind in all)."""
        async with kept_shadow(self._pool) as connection:
            records: Sequence[Record] = await connection.fetch(sql("compare_summary"))
        return records

    async def lines(self) -> AsyncIterator[str]:
        """Every difference as a line of JSON: what it is, and both sides of it."""
        async with kept_shadow(self._pool) as connection, connection.transaction():
            async for record in connection.cursor(sql("compare_lines"), prefetch=500):
                yield record["line"]


def _side(records: Sequence[Record], side: str) -> Side:
    rows = checksum = 0
    by_category, by_origin, by_day = Counter[str](), Counter[str](), Counter[str]()
    for record in records:
        if record["side"] == side:
            rows += record["rows"]
            checksum += int(record["hashes"])
            by_category[record["category"]] += record["rows"]
            by_origin[record["origin"] or _NOT_LOOKED_AT] += record["rows"]
            by_day[str(record["day"])] += record["rows"]
    return Side(
        rows, f"{checksum % _CHECKSUM_MODULUS:032x}", dict(by_category), dict(by_origin), dict(by_day)
    )
