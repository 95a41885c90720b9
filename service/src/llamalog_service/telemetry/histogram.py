"""A histogram that is told many values at once: the client's own takes one at a time."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from math import isinf
from threading import Lock

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry


class BulkHistogram(Collector):
    """Counts values by bucket, as `prometheus_client.Histogram` does, without labels.

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
        """Take in values."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += sum(values)

    def observe_zeros(self, times: int) -> None:
        """Take in as many zeros."""
        with self._lock:
            self._counts[0] += times

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The family without its values, for the registry's check of names."""
        yield HistogramMetricFamily(self._name, self._meaning)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family as it stands."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        buckets = [
            ("+Inf" if isinf(bound) else str(float(bound)), float(count))
            for bound, count in zip(self._bounds, accumulate(counts), strict=True)
        ]
        yield HistogramMetricFamily(self._name, self._meaning, buckets=buckets, sum_value=total)
