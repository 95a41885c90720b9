"""The metrics by name: counters, histograms and gauges of one process, and the warnings that go with them.

Names follow Prometheus' conventions: base units, `_total` for counters, labels of few values. The table in
docs/operations.md says the same for people; a test holds it.
"""

import time
from collections.abc import Collection, Mapping
from random import sample
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

from llamalog_schemas.provenance import Origin
from llamalog_service.telemetry.histogram import BulkHistogram
from llamalog_service.telemetry.metrics import Corrected, EventKind, Metrics, Step

_log = structlog.get_logger("llamalog.metrics")

DEEP: Final = 8
"""Jobs above a job from which on its chain is unusual: producers may be nesting without end."""
_WARN_AGAIN_SECONDS = 300.0

_STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BATCH_RECORDS = (1, 10, 30, 100, 300, 1000, 3000, 10_000, 20_000)
_ROOT_SECONDS = (0, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400, 604_800)
_QUERY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class PrometheusMetrics(Metrics):
    """Keeps what is measured; each process has one, with a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            registry.register(collector)
        self._events = Counter(
            "llamalog_events",
            "Messages handled to the end, by what they were and became",
            ["type", "verdict", "reason"],
            registry=registry,
        )
        self._batch = Histogram(
            "llamalog_batch_records",
            "Messages in a batch",
            buckets=_BATCH_RECORDS,
            registry=registry,
        )
        self._steps = Histogram(
            "llamalog_batch_step_seconds",
            "Time that a step of a batch took, waiting included",
            ["step"],
            buckets=_STEP_SECONDS,
            registry=registry,
        )
        self._cache = Counter(
            "llamalog_job_cache_lookups",
            "Jobs looked up in the cache",
            ["result"],
            registry=registry,
        )
        self._recorded = Counter(
            "llamalog_rows_recorded",
            "Rows written, by the origin that they were written with",
            ["origin"],
            registry=registry,
        )
        self._corrected = Counter(
            "llamalog_rows_corrected",
            "Rows whose root or origin was corrected, by their new origin",
            ["origin"],
            registry=registry,
        )
        self._time_to_root = BulkHistogram(
            "llamalog_time_to_root_seconds",
            "Time from recording a row until its root was known; 0 for one known at once",
            _ROOT_SECONDS,
            registry,
        )
        self._conflicts = Counter(
            "llamalog_parent_conflicts",
            "Rows found to claim another parent than the one that counts",
            registry=registry,
        )
        self._disagreeing = Counter(
            "llamalog_declared_roots_disagreeing",
            "Rows found to declare another root than the computed one",
            registry=registry,
        )
        self._depth = Gauge(
            "llamalog_chain_depth_max",
            "Most jobs above a job that this process has met",
            registry=registry,
        )
        self._deep = Counter(
            "llamalog_deep_chains",
            f"Looks that met a chain of {DEEP} jobs or more above a job",
            registry=registry,
        )
        self._timeline = Histogram(
            "llamalog_timeline_query_seconds",
            "Time that the queries of a timeline took",
            buckets=_QUERY_SECONDS,
            registry=registry,
        )
        self._lag = Gauge(
            "llamalog_consumer_lag_records",
            "Messages of a partition past the committed offset",
            ["topic", "partition"],
            registry=registry,
        )
        self._answers = Histogram(
            "llamalog_http_answer_seconds",
            "Time from a request to the beginning of its answer",
            ["route", "status"],
            buckets=_QUERY_SECONDS,
            registry=registry,
        )
        self.live = Gauge("llamalog_live", "1 while the process gets on, as /livez tells", registry=registry)
        self.ready = Gauge("llamalog_ready", "1 while it does its work, as /readyz tells", registry=registry)
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

    def recorded(self, by_origin: Mapping[Origin, int], conflicts: int, disagreeing: int) -> None:
        """Rows were written."""
        unknown = (Origin.PENDING, Origin.CYCLE, Origin.UNTRACKED)
        for origin, count in by_origin.items():
            self._recorded.labels(origin.value).inc(count)
            if origin not in unknown:
                self._time_to_root.observe_zeros(count)
        self._conflicts.inc(conflicts)
        self._disagreeing.inc(disagreeing)

    def jobs(self, jobs: Collection[str]) -> None:
        """Rows of these jobs were written."""
        self._jobs = jobs

    def some_jobs(self, most: int) -> list[str]:
        """Some of the jobs written last, each time others; none twice."""
        jobs, self._jobs = list(self._jobs), ()
        return sample(jobs, min(most, len(jobs)))

    def corrected(self, corrected: Corrected) -> None:
        """A recompute was committed."""
        for origin, count in corrected.by_origin.items():
            self._corrected.labels(origin).inc(count)
        self._time_to_root.observe(corrected.known_after)
        self._conflicts.inc(corrected.conflicts)
        self._disagreeing.inc(corrected.disagreeing)
        if corrected.deepest is not None:
            self.depth(corrected.depth, corrected.deepest)

    def depth(self, jobs_above: int, job: str) -> None:
        """A chain was walked; a deep one is told, and again when it is deeper or a while has passed."""
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
        """How far the partitions of this consumer are behind, by topic and partition."""
        labels = {(topic, str(partition)) for topic, partition in lags}
        for gone in self._lagging - labels:
            self._lag.remove(*gone)
        self._lagging = labels
        for (topic, partition), lag in lags.items():
            self._lag.labels(topic, str(partition)).set(lag)

    def timeline(self, seconds: float) -> None:
        """A timeline was read."""
        self._timeline.observe(seconds)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._answers.labels(route, str(status)).observe(seconds)
