"""Gauges of the tables, looked at by the migration consumer in the background."""

from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Gauge

from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.counts import UNPROCESSED

_log = structlog.get_logger("llamalog.metrics")

LARGE_BYTES: Final = 500 * 1024 * 1024
"""From this size of the log on, somebody should think of partitions or of an archive."""

MAX_ROWS: Final = 100_000
"""Rows that a gauge counts at most: it must stay cheap when a whole legacy table waits for its roots."""

_UNSETTLED = ("PENDING", "DECLARED", UNPROCESSED)


class TableGauges:
    """Sets the gauges from indexed queries; warns once when the log has become large."""

    def __init__(self, reader: Reader, registry: CollectorRegistry, *, large: int = LARGE_BYTES) -> None:
        self._reader = reader
        self._large = large
        self._is_told = False
        self._unsettled = Gauge(
            "llamalog_unresolved_rows",
            f"Rows whose root may still become known, by origin; counted up to {MAX_ROWS}",
            ["origin"],
            registry=registry,
        )
        self._unsettled_age = Gauge(
            "llamalog_unresolved_rows_oldest_age_seconds",
            "Time since the oldest of them was recorded",
            ["origin"],
            registry=registry,
        )
        self._outbox = Gauge(
            "llamalog_outbox_rows",
            f"Corrections not published yet; counted up to {MAX_ROWS}",
            registry=registry,
        )
        self._outbox_age = Gauge(
            "llamalog_outbox_oldest_age_seconds",
            "Time since the oldest of them was noted",
            registry=registry,
        )
        self._runs = Gauge("llamalog_runs", "Runs by status", ["status"], registry=registry)
        self._size = Gauge(
            "llamalog_table_size_bytes",
            "The log on disk, its indexes included",
            ["table"],
            registry=registry,
        )

    async def sample(self) -> None:
        """Look at the tables.

        Raises:
            UnavailableError: PostgreSQL is away; the gauges stay as they were.
        """
        unsettled = {
            record["origin"] or UNPROCESSED: record
            for record in await self._reader.rows("gauge_unresolved", MAX_ROWS)
        }
        for origin in _UNSETTLED:
            found = unsettled.get(origin)
            self._unsettled.labels(origin).set(found["rows"] if found else 0)
            self._unsettled_age.labels(origin).set(found["oldest"] if found else 0)
        outbox = await self._reader.row("gauge_outbox", MAX_ROWS)
        self._outbox.set(outbox["rows"])
        self._outbox_age.set(outbox["oldest"])
        await self._count_runs()
        await self._weigh()

    async def _count_runs(self) -> None:
        runs = {record["status"]: record["runs"] for record in await self._reader.rows("gauge_runs")}
        known = {labels[0] for labels in self._runs._metrics}
        for status in known | runs.keys():
            self._runs.labels(status).set(runs.get(status, 0))

    async def _weigh(self) -> None:
        size = await self._reader.value("gauge_size")
        self._size.labels("llama_logs").set(size)
        if size >= self._large and not self._is_told:
            _log.warning("large table", table="llama_logs", bytes=size, warned_from=self._large)
        self._is_told = size >= self._large
