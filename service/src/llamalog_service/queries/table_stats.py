"""Statistics of the tables for gauges and the health page: indexed queries, cheap at any size."""

from collections.abc import Collection, Mapping

from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.counts import UNPROCESSED
from llamalog_service.telemetry.metrics import MAX_COUNTED, Pending, TableStats

_UNRESOLVED = ("PENDING", "DECLARED", UNPROCESSED)


async def read_table_stats(reader: Reader) -> TableStats:
    """The statistics of this moment."""
    unresolved = await read_unresolved(reader)
    outbox = await reader.row("gauge_outbox", MAX_COUNTED)
    return TableStats(
        unresolved={origin: unresolved.get(origin, Pending(0, 0)) for origin in _UNRESOLVED},
        outbox=Pending(outbox["rows"], outbox["oldest"]),
        runs={record["status"]: record["runs"] for record in await reader.rows("gauge_runs")},
        bytes=await reader.value("gauge_size"),
    )


async def read_unresolved(reader: Reader) -> Mapping[str, Pending]:
    """Rows whose root may still become known, by origin."""
    return {
        record["origin"] or UNPROCESSED: Pending(record["rows"], record["oldest"])
        for record in await reader.rows("gauge_unresolved", MAX_COUNTED)
    }


async def read_depths(reader: Reader, jobs: Collection[str]) -> Mapping[str, int]:
    """How many jobs are above each of these; jobs on cycles are left out."""
    records = await reader.rows("chain_depth", list(jobs)) if jobs else ()
    return {record["job"]: record["depth"] for record in records}
