"""Comparison of the live table with the shadow, in a snapshot in which rows and positions agree."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

from llamalog_schemas.commands import WholeTable
from llamalog_service.domain.errors import PositionPastEndError
from llamalog_service.kafka.reader import Span
from llamalog_service.log.outbox import BYTES_AT_ONCE
from llamalog_service.log.recompute import MEMORY, Rule, prepare_rule
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import Row, sql
from llamalog_service.rebuild.errors import BeginningGoneError, NoPositionsError, OtherTopicsError
from llamalog_service.rebuild.ports import SCHEMA
from llamalog_service.rebuild.shadow import (
    END_WITH_CLIENT,
    ReadProgress,
    ShadowBatch,
    apply_to_shadow,
    compared_shadow,
    read_progress,
    write_batch,
)

IS_EMPTY: Final = "SELECT NOT EXISTS (SELECT FROM llama_logs) AND NOT EXISTS (SELECT FROM root_overrides)"

_INSERT_ROOTS: Final = """
    INSERT INTO llamalog_rebuild.roots (row_id, root_job_id, origin, cycle_members, parent_conflict)
    SELECT row_id, root_job_id, origin, cycle_members, parent_conflict FROM (RULE) ruled
"""
_SEARCH_SHADOW_FIRST: Final = (
    f"SELECT set_config('search_path', '{SCHEMA}, ' || current_setting('search_path'), true)"
)
ANALYZE_SHADOW: Final = (
    f"ANALYZE {SCHEMA}.llama_logs (id, job_id, parent_job_id, declared_root_job_id, origin); "
    f"ANALYZE {SCHEMA}.legacy_rows"
)
"""Of the columns that statements join or group by: statistics of all the others take a second."""

_SHARE_COUNTING: Final = "SET LOCAL parallel_tuple_cost = 0; SET LOCAL enable_sort = off"
"""The planner takes the groups, a few for each day, for as many as rows: it would not share the work, or
sort whole rows."""

DIFFERENCES_BY_ID: Final = f"""
    CREATE UNIQUE INDEX IF NOT EXISTS differences_id ON {SCHEMA}.differences (id);
    ANALYZE {SCHEMA}.differences (id)
"""
_LINES_AT_ONCE: Final = 500
_RESTORE_TOPIC: Final = (
    "It does not hold the table's events, and nothing was done. Restore the topic, or, if its loss is "
    "accepted, delete the rows of this topic from consumer_positions."
)

_CHECKSUM_MODULUS: Final = 2**128
_NO_ORIGIN: Final = "none"
"""Stands for the origin of a row that another writer has inserted."""


class RebuildSelection(NamedTuple):
    """The rows to compare: of these roots, or about these entities; all if both are empty."""

    roots: tuple[str, ...] = ()
    entities: tuple[UUID, ...] = ()


class Duplicates(NamedTuple):
    """Events of one id.

    Attributes:
        removed: rows removed from the shadow because their id was there already.
        contested: ids with several contents.
        contested_kept_live: those of which the live table holds another content than an empty table would
            get, which is the legacy row's, or else the lowest offset's.
        overrides: overrides removed likewise.
        retracted: rows that retractions have changed.
    """

    removed: int
    contested: int
    contested_kept_live: int
    overrides: int
    retracted: int

    @property
    def may_change_roots(self) -> bool:
        """Whether roots of the shadow may be others by now: rows alike make the same claims."""
        return bool(self.contested or self.overrides or self.retracted)


class Unsourced(NamedTuple):
    """Numbers of live rows and overrides without an event, and the ids of the first of the rows."""

    rows: int
    overrides: int
    examples: Sequence[UUID] = ()


NONE_UNSOURCED: Final = Unsourced(0, 0)


class Differences(Struct, frozen=True, rename="camel"):
    """Counts of differing rows; `by_column` of those that are on both sides."""

    missing: int
    extra: int
    different: int
    by_column: dict[str, int]
    corrected_meanwhile: int

    @property
    def rows(self) -> int:
        """All but those that live traffic has corrected meanwhile."""
        return self.missing + self.extra + self.different


NO_DIFFERENCES: Final = Differences(0, 0, 0, {}, 0)


class OverrideDifferences(NamedTuple):
    """Differing overrides by kind."""

    missing: int
    extra: int
    different: int


class Side(Struct, frozen=True, rename="camel"):
    """Counts of one side; the checksum does not depend on the order of the rows."""

    rows: int
    checksum: str
    by_category: dict[str, int]
    by_origin: dict[str, int]
    by_day: dict[str, int]


NO_ROWS: Final = Side(0, f"{0:032x}", {}, {}, {})


class Convergence(NamedTuple):
    """Rows that still differ in their roots alone, and whether the migration consumer recomputes roots."""

    differing: int
    is_recomputing: bool


class ComparisonSnapshot:
    """A transaction that sees the live table as of one moment, and writes to the shadow alone."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def positions(self, topic: str) -> dict[int, int]:
        """The next offsets of the live table in the topic, by partition."""
        return await _live_positions(self._connection, topic)

    async def progress(self) -> ReadProgress:
        """The next offsets of the shadow."""
        return await read_progress(self._connection)

    async def write(self, batch: ShadowBatch) -> None:
        """Write a batch to the shadow."""
        await write_batch(self._connection, batch)

    async def reset(self) -> None:
        """Leave in the shadow nothing but what was read; a try of unknown outcome may have written more."""
        await self._connection.execute(sql("shadow_reset"))

    async def copy_unsourced(self) -> Unsourced:
        """Copy rows and overrides that have no event from the live table into the shadow."""
        rows = rows_of(await self._connection.execute(sql("shadow_unsourced_rows")))
        overrides = rows_of(await self._connection.execute(sql("shadow_unsourced_overrides")))
        return Unsourced(rows, overrides)

    async def analyze(self) -> None:
        """Gather the statistics of the shadow that the statements after this one are planned by."""
        await self._connection.execute(ANALYZE_SHADOW)

    async def deduplicate(self) -> Duplicates:
        """Apply the shadow's overrides to its rows, and leave one row and one override of each id in it."""
        retracted = await apply_to_shadow(self._connection)
        await self._connection.execute(f"{MEMORY}; {sql('shadow_repeated')}")
        removed, contested, kept_live = await self._connection.fetchrow(sql("shadow_deduplicate"))
        overrides = await self._connection.execute(sql("shadow_deduplicate_overrides"))
        return Duplicates(removed, contested, kept_live, rows_of(overrides), retracted)

    async def resolve(self) -> None:
        """Resolve the roots of the shadow's rows by the statements that plan a backfill."""
        await self._connection.execute(sql("shadow_truncate_roots"))
        async with rule_over_shadow(self._connection) as rule:
            await self._connection.execute(rule.over(_INSERT_ROOTS), *rule.values)
        await self._connection.execute(f"ANALYZE {SCHEMA}.roots")

    async def compare(self, selection: RebuildSelection) -> None:
        """Write every difference to the shadow."""
        await self._connection.execute(sql("compare_rows"), *selection)
        await self._connection.execute(sql("compare_unresolved"))
        await self._connection.execute(sql("compare_revisions"))

    async def unsourced(self, examples: int) -> Unsourced:
        """Live rows and overrides without an event."""
        return await _unsourced(self._connection, examples)

    async def differing_overrides(self) -> OverrideDifferences:
        """Overrides that are on one side only, or differ."""
        return OverrideDifferences(*await self._connection.fetchrow(sql("compare_overrides")))

    async def sides(self, selection: RebuildSelection) -> tuple[Side, Side]:
        """Counts of the live table and of the shadow."""
        return (
            await count_side(self._connection, "live", selection),
            await count_side(self._connection, "rebuilt", selection),
        )

    async def resolved_side(self) -> Side:
        """Resolve the roots of the shadow's rows, which are not to be loaded, and count the rows."""
        await self.resolve()
        return await count_side(self._connection, "rebuilt", RebuildSelection())

    async def complete(self) -> None:
        """Mark the comparison as complete, for the repair or the initial load."""
        await self._connection.execute(f"INSERT INTO {SCHEMA}.comparison VALUES (now())")  # noqa: S608


class ComparisonStore:
    """Reads the live table and its comparison, over a pool whose connections plan every statement anew.

    What reads a completed comparison raises ShadowLostError where a crash has emptied it.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def live_positions(self, topic: str) -> dict[int, int]:
        """The next offsets of the live table in the topic, by partition."""
        return await _live_positions(self._pool, topic)

    async def require_no_other_topic(self, topic: str, overrides_topic: str, extra: int) -> None:
        """Refuse to call rows extra where the live table has recorded events of another topic, too."""
        own = [topic, overrides_topic]
        others = [record["topic"] for record in await self._pool.fetch(sql("live_other_topics"), own)]
        if others:
            raise OtherTopicsError(topic, extra, others)

    async def is_live_empty(self) -> bool:
        """Whether the live table has no row and no override."""
        return bool(await self._pool.fetchval(IS_EMPTY))

    async def unsourced(self, examples: int) -> Unsourced:
        """Live rows and overrides without an event."""
        async with self._pool.acquire() as connection:
            return await _unsourced(connection, examples)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ComparisonSnapshot]:
        """A snapshot; writes to the shadow are committed if the context ends without an error.

        The first statement within sets the snapshot's moment: none before it may read a row.
        """
        async with self._pool.acquire() as connection:
            await connection.execute(sql("compare_prepare"))
            async with connection.transaction(isolation="repeatable_read"):
                await connection.execute(END_WITH_CLIENT)
                yield ComparisonSnapshot(connection)

    async def convergence(self) -> Convergence:
        """Mark differing roots that live traffic has corrected since the comparison, and count the others."""
        async with compared_shadow(self._pool) as connection:
            return Convergence(*await connection.fetchrow(sql("compare_convergence")))

    async def differences(self) -> Differences:
        """The differences in numbers."""
        async with compared_shadow(self._pool) as connection:
            return _differences(await connection.fetch(sql("compare_summary")))

    async def extra_among(self, rows: Sequence[UUID]) -> list[UUID]:
        """Those of the rows that were called extra."""
        async with compared_shadow(self._pool) as connection:
            return [record["id"] for record in await connection.fetch(sql("compare_extra"), rows)]

    async def lines(self) -> AsyncIterator[str]:
        """Every difference as a line of JSON, with both sides."""
        async with compared_shadow(self._pool) as connection:
            await connection.execute(DIFFERENCES_BY_ID)
            after = None
            while found := await connection.fetch(sql("compare_lines"), after, _LINES_AT_ONCE, BYTES_AT_ONCE):
                for record in found:
                    yield record["line"]
                after = found[-1]["id"]


def require_beginning(topic: str, spans: Mapping[int, Span]) -> None:
    """A rebuild from the rest of a topic would lack rows."""
    gone = {partition: span.first for partition, span in spans.items() if span.first > 0}
    if gone:
        raise BeginningGoneError(topic, gone)


def require_positions(topic: str, ends: Mapping[int, int], spans: Mapping[int, Span]) -> None:
    """The live table's positions (`ends`) must be known, and lie within the topic."""
    if not ends:
        raise NoPositionsError(topic)
    require_within(topic, ends, spans)


def require_within(topic: str, ends: Mapping[int, int], spans: Mapping[int, Span]) -> None:
    """The positions of the live table must not lie past the topic's end."""
    for partition, end in ends.items():
        last = spans[partition].end if partition in spans else 0
        if end > last:
            raise PositionPastEndError(topic, partition, end, last, advice=_RESTORE_TOPIC)


@asynccontextmanager
async def rule_over_shadow(connection: asyncpg.Connection) -> AsyncIterator[Rule]:
    """The rule over the shadow's rows, in the connection's transaction; it comes first in the search path."""
    search_path = await connection.fetchval(_SEARCH_SHADOW_FIRST)
    yield await prepare_rule(connection, WholeTable())
    await connection.execute(
        "SELECT set_config('search_path', $1, true)", search_path.removeprefix(f"{SCHEMA}, ")
    )


async def count_side(connection: asyncpg.Connection, view: str, selection: RebuildSelection) -> Side:
    """Counts of one of the views of `compare_prepare`, in the connection's transaction."""
    await connection.execute(_SHARE_COUNTING)
    return _side(await connection.fetch(sql("side_counts").replace("SIDE", view), *selection))


async def _live_positions(connection: asyncpg.Connection | asyncpg.Pool, topic: str) -> dict[int, int]:
    """The next offset of each partition that the live rows have come to, whichever groups wrote them."""
    return dict(await connection.fetch(sql("live_positions"), topic))


async def _unsourced(connection: asyncpg.Connection, examples: int) -> Unsourced:
    rows, overrides = await connection.fetchrow(sql("unsourced_count"))
    first = await connection.fetch(sql("unsourced_some"), examples) if rows else []
    return Unsourced(rows, overrides, [record["id"] for record in first])


def _differences(summary: Sequence[Row]) -> Differences:
    """The counts of `compare_summary`: by kind, and by kind and column (`column` None: all of the kind)."""
    kinds = {"missing": 0, "extra": 0, "different": 0}
    by_column: dict[str, int] = {}
    corrected = 0
    for record in summary:
        if record["column"] is not None:
            if not record["corrected"]:
                by_column[record["column"]] = record["rows"]
        elif record["corrected"]:
            corrected += record["rows"]
        else:
            kinds[record["kind"]] = record["rows"]
    return Differences(**kinds, by_column=by_column, corrected_meanwhile=corrected)


def _side(records: Sequence[Row]) -> Side:
    rows = checksum = 0
    by_category, by_origin, by_day = Counter[str](), Counter[str](), Counter[str]()
    for record in records:
        rows += record["rows"]
        checksum += int(record["hashes"])
        by_category[record["category"]] += record["rows"]
        by_origin[record["origin"] or _NO_ORIGIN] += record["rows"]
        by_day[str(record["day"])] += record["rows"]
    return Side(
        rows, f"{checksum % _CHECKSUM_MODULUS:032x}", dict(by_category), dict(by_origin), dict(by_day)
    )
