"""The metrics of one process in Prometheus' terms, and the warnings that go with them.

Names follow Prometheus' conventions: base units, `_total` for counters, labels of few values. The table in
docs/operations.md documents them; a test compares both.
"""

import time
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from math import isinf
from random import sample
from threading import Lock
from typing import Final

import structlog
from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from llamalog_schemas.provenance import Origin
from llamalog_service.telemetry.metrics import MAX_COUNTED, Corrected, EventKind, Metrics, Step, TableStats

_log = structlog.get_logger("llamalog.metrics")

DEEP: Final = 8
"""Jobs above a job from which on its chain is logged: producers may be nesting without end."""
_WARN_AGAIN_SECONDS = 300.0

LARGE_BYTES: Final = 500 * 1024 * 1024
"""From this size of the log on, consider partitions or an archive."""

_STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BATCH_RECORDS = (1, 10, 30, 100, 300, 1000, 3000, 10_000, 20_000)
_ROOT_SECONDS = (0, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400, 604_800)
_QUERY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class BulkHistogram(Collector):
    """A histogram without labels that takes many values at once; `prometheus_client.Histogram` takes one.

    Args:
        name: with its unit.
        bounds: upper bounds of the buckets, rising; the last one is followed by infinity.
    """

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._meaning = meaning
        self._bounds = (*bounds, float("inf"))
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        self._lock = Lock()
        registry.register(self)

    def observe(self, values: Collection[float]) -> None:
        """Count values."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += sum(values)

    def observe_zeros(self, times: int) -> None:
        """Count as many zeros."""
        with self._lock:
            self._counts[0] += times

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The family without its values, for the registry's check of names."""
        yield HistogramMetricFamily(self._name, self._meaning)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family with its present values."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        buckets = [
            ("+Inf" if isinf(bound) else str(float(bound)), float(count))
            for bound, count in zip(self._bounds, accumulate(counts), strict=True)
        ]
        yield HistogramMetricFamily(self._name, self._meaning, buckets=buckets, sum_value=total)


class PrometheusMetrics(Metrics):
    """Counters, histograms and gauges in a registry of their own; one instance a process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            registry.register(collector)
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self._events = counter(
            "llamalog_events",
            "Messages handled to the end, by type, verdict and reason",
            ["type", "verdict", "reason"],
        )
        self._lost = counter(
            "llamalog_lost_messages", "Messages deleted from the topic before they were read"
        )
        self._batch = histogram("llamalog_batch_records", "Messages in a batch", buckets=_BATCH_RECORDS)
        self._steps = histogram(
            "llamalog_batch_step_seconds",
            "Time that a step of a batch took, waiting included",
            ["step"],
            buckets=_STEP_SECONDS,
        )
        self._cache = counter("llamalog_job_cache_lookups", "Jobs looked up in the cache", ["result"])
        self._recorded = counter(
            "llamalog_rows_recorded", "Rows written, by the origin that they were written with", ["origin"]
        )
        self._corrected = counter(
            "llamalog_rows_corrected",
            "Rows whose root or origin was corrected, by their new origin",
            ["origin"],
        )
        self._time_to_root = BulkHistogram(
            "llamalog_time_to_root_seconds",
            "Time from recording a row until its root was known; 0 for one known at once",
            _ROOT_SECONDS,
            registry,
        )
        self._parent_conflicts = counter(
            "llamalog_parent_conflicts", "Rows found to claim another parent than the one that counts"
        )
        self._declaration_conflicts = counter(
            "llamalog_declaration_conflicts", "Rows found to declare another root than the computed one"
        )
        self._history_pruned = counter(
            "llamalog_history_pruned",
            "Changes of roots deleted that were older than the history is kept",
        )
        self._depth = gauge("llamalog_chain_depth_max", "Most jobs above a job that this process has met")
        self._deep = counter(
            "llamalog_deep_chains", f"Walks up a chain that found {DEEP} jobs or more above a job"
        )
        self._timeline = histogram(
            "llamalog_timeline_query_seconds",
            "Time that the queries of a timeline took",
            buckets=_QUERY_SECONDS,
        )
        self._lag = gauge(
            "llamalog_consumer_lag_records",
            "Messages of a partition past the committed offset",
            ["topic", "partition"],
        )
        self._http_requests = histogram(
            "llamalog_http_request_duration_seconds",
            "Time from a request to the beginning of its answer",
            ["route", "status"],
            buckets=_QUERY_SECONDS,
        )
        self.live = gauge("llamalog_live", "1 while /livez answers 200")
        self.ready = gauge("llamalog_ready", "1 while /readyz answers 200")
        self._jobs: Collection[str] = ()
        self._lagging: set[tuple[str, str]] = set()
        self._deepest = 0
        self._warn_again = 0.0

    def batch(self, records: int) -> None:
        """A batch goes through the steps."""
        self._batch.observe(records)

    def step(self, step: Step, seconds: float) -> None:
        """A step of a batch was done."""
        self._steps.labels(step).observe(seconds)

    def cache(self, hits: int, misses: int) -> None:
        """Jobs were looked up in the cache."""
        self._cache.labels("hit").inc(hits)
        self._cache.labels("miss").inc(misses)

    def events(self, counts: Mapping[EventKind, int]) -> None:
        """Messages were handled to the end."""
        for kind, count in counts.items():
            self._events.labels(*kind).inc(count)

    def lost(self, messages: int) -> None:
        """Messages were deleted from the topic before they were read."""
        self._lost.inc(messages)

    def recorded(
        self, by_origin: Mapping[Origin, int], parent_conflicts: int, declaration_conflicts: int
    ) -> None:
        """Rows were written."""
        unknown = (Origin.PENDING, Origin.CYCLE, Origin.UNTRACKED)
        for origin, count in by_origin.items():
            self._recorded.labels(origin.value).inc(count)
            if origin not in unknown:
                self._time_to_root.observe_zeros(count)
        self._parent_conflicts.inc(parent_conflicts)
        self._declaration_conflicts.inc(declaration_conflicts)

    def jobs(self, jobs: Collection[str]) -> None:
        """Rows of these jobs were written."""
        self._jobs = jobs

    def sample_jobs(self, limit: int) -> list[str]:
        """Up to so many of the jobs written last; each is returned once."""
        jobs, self._jobs = list(self._jobs), ()
        return sample(jobs, min(limit, len(jobs)))

    def corrected(self, corrected: Corrected) -> None:
        """A recompute was committed."""
        for origin, count in corrected.by_origin.items():
            self._corrected.labels(origin).inc(count)
        self._time_to_root.observe(corrected.known_after)
        self._parent_conflicts.inc(corrected.parent_conflicts)
        self._declaration_conflicts.inc(corrected.declaration_conflicts)
        if corrected.deepest is not None:
            self.depth(corrected.depth, corrected.deepest)

    def history_pruned(self, changes: int) -> None:
        """Changes of roots were deleted."""
        self._history_pruned.inc(changes)

    def depth(self, jobs_above: int, job: str) -> None:
        """A chain was walked; a deep one is logged, and again if it is deeper or some minutes later."""
        is_deeper = jobs_above > self._deepest
        if is_deeper:
            self._deepest = jobs_above
            self._depth.set(jobs_above)
        if jobs_above < DEEP:
            return
        self._deep.inc()
        now = time.monotonic()
        if is_deeper or now >= self._warn_again:
            self._warn_again = now + _WARN_AGAIN_SECONDS
            _log.warning("deep chain", job=job, jobs_above=jobs_above)

    def lags(self, lags: Mapping[tuple[str, int], int]) -> None:
        """The lag of the partitions of this consumer, by topic and partition."""
        labels = {(topic, str(partition)) for topic, partition in lags}
        for gone in self._lagging - labels:
            self._lag.remove(*gone)
        self._lagging = labels
        for (topic, partition), lag in lags.items():
            self._lag.labels(topic, str(partition)).set(lag)

    def timeline(self, seconds: float) -> None:
        """A timeline was read."""
        self._timeline.observe(seconds)

    def http_request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._http_requests.labels(route, str(status)).observe(seconds)


class TableGauges:
    """Gauges of the tables, kept by the migration consumer; a log that has become large is logged once.

    Args:
        large: bytes from which the log counts as large.
    """

    def __init__(self, registry: CollectorRegistry, *, large: int = LARGE_BYTES) -> None:
        self._large = large
        self._is_warned = False
        gauge = partial(Gauge, registry=registry)
        self._unresolved = gauge(
            "llamalog_unresolved_rows",
            f"Rows whose root may still become known, by origin; counted up to {MAX_COUNTED}",
            ["origin"],
        )
        self._unresolved_age = gauge(
            "llamalog_unresolved_rows_oldest_age_seconds",
            "Time since the oldest of them was recorded",
            ["origin"],
        )
        self._outbox = gauge(
            "llamalog_outbox_rows", f"Corrections not published yet; counted up to {MAX_COUNTED}"
        )
        self._outbox_age = gauge(
            "llamalog_outbox_oldest_age_seconds", "Time since the oldest of them was written"
        )
        self._refused = gauge(
            "llamalog_refused_rows",
            f"Rows that PostgreSQL lets no writer change, set aside; counted up to {MAX_COUNTED}",
        )
        self._runs = gauge("llamalog_runs", "Runs by status", ["status"])
        self._size = gauge("llamalog_table_size_bytes", "The log on disk, its indexes included", ["table"])
        self._history_age = gauge(
            "llamalog_history_oldest_age_seconds", "Time since the oldest correction in the history of roots"
        )

    def set(self, stats: TableStats) -> None:
        """Set all gauges."""
        for origin, pending in stats.unresolved.items():
            self._unresolved.labels(origin).set(pending.rows)
            self._unresolved_age.labels(origin).set(pending.oldest)
        self._outbox.set(stats.outbox.rows)
        self._outbox_age.set(stats.outbox.oldest)
        self._refused.set(stats.refused)
        known = {labels[0] for labels in self._runs._metrics}
        for status in known | stats.runs.keys():
            self._runs.labels(status).set(stats.runs.get(status, 0))
        self._size.labels("llama_logs").set(stats.bytes)
        self._history_age.set(stats.history_age)
        is_large = stats.bytes >= self._large
        if is_large and not self._is_warned:
            _log.warning("large table", table="llama_logs", bytes=stats.bytes, warned_from=self._large)
        self._is_warned = is_large
