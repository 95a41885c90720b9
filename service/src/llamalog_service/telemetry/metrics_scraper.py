"""The metrics of other processes, parsed and summed over all consumers of an installation."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

_SUMMED: Final = {
    "llamalog_events_total": "events",
    "llamalog_rows_recorded_total": "rows_recorded",
    "llamalog_rows_corrected_total": "rows_corrected",
}
_BUCKET: Final = "llamalog_time_to_root_seconds_bucket"


class ScrapedMetrics(NamedTuple):
    """Counters summed over some processes.

    Attributes:
        known_within: rows whose root was known within so many seconds, by that bound; they rise with it.
    """

    events: float
    rows_recorded: float
    rows_corrected: float
    known_within: Mapping[float, float]

    @property
    def rows_known(self) -> int:
        """Rows whose root became known."""
        return int(max(self.known_within.values(), default=0))

    def known_share_within(self, share: float) -> float | None:
        """Seconds within which this share of the rows had their root; None if that is past all bounds."""
        for bound, rows in sorted(self.known_within.items()):
            if rows >= share * self.rows_known:
                return bound if bound != float("inf") else None
        return None


def parse_metrics(expositions: Collection[str]) -> ScrapedMetrics:
    """The sums of some processes.

    Args:
        expositions: the body of each process's `/metrics`, in Prometheus' text format.
    """
    sums: dict[str, float] = dict.fromkeys(_SUMMED.values(), 0.0)
    buckets: dict[float, float] = {}
    for text in expositions:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in _SUMMED:
                    sums[_SUMMED[sample.name]] += sample.value
                elif sample.name == _BUCKET:
                    bound = float(sample.labels["le"])
                    buckets[bound] = buckets.get(bound, 0) + sample.value
    return ScrapedMetrics(
        events=sums["events"],
        rows_recorded=sums["rows_recorded"],
        rows_corrected=sums["rows_corrected"],
        known_within=buckets,
    )
