"""What is counted, under which names; the names as in the documents."""

import re
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from harness.writers import OVERRIDES, Message
from histories import NOON, event, override
from llamalog_schemas.codec import encode
from llamalog_schemas.events import EntityEnriched
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import StoredRow, content_of
from llamalog_service.ingest.batch import DecodedBatch, classify, decode_batch
from llamalog_service.ingest.batch_stats import count_events, count_roots
from llamalog_service.telemetry.metrics import Corrected, EventKind
from llamalog_service.telemetry.prometheus import DEEP, BulkHistogram, PrometheusMetrics, TableGauges

OPERATIONS = Path(__file__).resolve().parents[3] / "docs/operations.md"


def sample(metrics: PrometheusMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


class PlainEquality:
    async def json_equal(self, one: object, other: object) -> bool:
        return one == other

    async def legacy_equal(self, rows: Sequence[LegacyContent]) -> list[bool]:
        return [False for _ in rows]


def decoded(*values: bytes | None) -> DecodedBatch:
    return decode_batch([Message(value) for value in values])


def decoded_override(value: bytes) -> DecodedBatch:
    return decode_batch([Message(value, topic=OVERRIDES)])


async def test_every_message_of_a_batch_is_counted_once_by_type_and_verdict() -> None:
    known = event(1, "job")
    batch = decoded(
        encode(known),
        encode(event(2, "other")),
        encode(event(2, "other", at=9)),
        encode(event(3, "third", kind=EntityEnriched)),
        encode(event(3, "third", kind=EntityEnriched)),
        b"no event",
        None,
    )
    (stated,) = decoded_override(encode(override(4, "lost"))).overrides
    batch = batch._replace(overrides=[stated])
    stored = StoredRow(content_of(known), Root("job", Origin.ROOT), 1, NOON)
    classified = await classify(batch, {UUID(int=1): stored}, PlainEquality())
    counts = count_events(batch, classified)
    assert counts == {
        EventKind("entity-created", "recorded"): 1,
        EventKind("entity-created", "duplicate"): 1,
        EventKind("entity-created", "conflict"): 1,
        EventKind("entity-enriched", "recorded"): 1,
        EventKind("entity-enriched", "duplicate"): 1,
        EventKind("root-adopted", "override"): 1,
        EventKind("unknown", "dead-lettered", "not-json"): 1,
        EventKind("unknown", "tombstone"): 1,
    }
    assert sum(counts.values()) == 8


def test_rows_that_declare_another_root_than_the_computed_one_are_counted() -> None:
    rows = [
        content_of(event(number, "job", "parent", declared=declared))
        for number, declared in enumerate(["right", "wrong", "unsure", None])
    ]
    roots = [
        Root("right", Origin.RESOLVED),
        Root("right", Origin.RESOLVED, parent_conflict=True),
        Root(None, Origin.CYCLE),
        Root("right", Origin.RESOLVED),
    ]
    assert count_roots(rows, roots) == ({Origin.RESOLVED: 3, Origin.CYCLE: 1}, 1, 1)


def test_the_time_to_a_root_is_none_for_a_root_known_at_once_and_counted_for_one_found_later() -> None:
    metrics = PrometheusMetrics()
    metrics.recorded({Origin.ROOT: 2, Origin.PENDING: 3}, parent_conflicts=0, declaration_conflicts=0)
    metrics.corrected(Corrected({"RESOLVED": 3}, [0.2, 7.0, 100.0], 1, 2, depth=0, deepest=None))
    buckets = {bound: sample(metrics, "llamalog_time_to_root_seconds_bucket", le=bound) for bound in BOUNDS}
    assert buckets == {"0.0": 2, "0.25": 3, "10.0": 4, "60.0": 4, "+Inf": 5}
    assert sample(metrics, "llamalog_time_to_root_seconds_sum") == pytest.approx(107.2)
    assert sample(metrics, "llamalog_parent_conflicts_total") == 1
    assert sample(metrics, "llamalog_declaration_conflicts_total") == 2


BOUNDS = ("0.0", "0.25", "10.0", "60.0", "+Inf")


def test_a_value_on_a_bound_counts_below_it() -> None:
    registry = CollectorRegistry()
    BulkHistogram("seconds", "meaning", (1, 2), registry).observe([1.0, 1.5, 2.0, 2.5])
    counts = [registry.get_sample_value("seconds_bucket", {"le": bound}) for bound in ("1.0", "2.0", "+Inf")]
    assert counts == [1, 3, 4]


def test_a_deep_chain_is_logged_once_and_again_when_it_is_deeper() -> None:
    metrics = PrometheusMetrics()
    with capture_logs() as logs:
        for depth in (DEEP - 1, DEEP, DEEP, DEEP + 1):
            metrics.depth(depth, f"job-{depth}")
    assert [(line["job"], line["jobs_above"]) for line in logs] == [("job-8", 8), ("job-9", 9)]
    assert sample(metrics, "llamalog_chain_depth_max") == DEEP + 1
    assert sample(metrics, "llamalog_deep_chains_total") == 3


def test_a_partition_that_went_to_another_consumer_has_no_lag_here() -> None:
    metrics = PrometheusMetrics()
    metrics.lags({("events", 0): 5, ("events", 1): 0})
    metrics.lags({("events", 1): 7})
    assert sample(metrics, "llamalog_consumer_lag_records", topic="events", partition="0") is None
    assert sample(metrics, "llamalog_consumer_lag_records", topic="events", partition="1") == 7


def kept() -> dict[str, tuple[str, str]]:
    """Type and labels of every metric of ours, by the name that a query uses."""
    metrics = PrometheusMetrics()
    TableGauges(metrics.registry)
    found = {}
    for family in metrics.registry.collect():
        if family.name.startswith("llamalog_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            found[name] = (family.type, _labels(metrics, family.name))
    return found


def _labels(metrics: PrometheusMetrics, name: str) -> str:
    collector = metrics.registry._names_to_collectors[name]
    return ", ".join(f"`{label}`" for label in getattr(collector, "_labelnames", ()))


def test_the_documents_list_every_metric_with_its_type_and_labels() -> None:
    documented = re.findall(r"^\| `(llamalog_\w+)` \| (\w+) \|(.*?)\|", OPERATIONS.read_text(), re.MULTILINE)
    assert {name: (kind, labels.strip()) for name, kind, labels in documented} == kept()


def test_names_follow_the_conventions() -> None:
    for name, (kind, _) in kept().items():
        assert re.fullmatch(r"llamalog(_[a-z]+)+", name)
        assert name.endswith("_total") == (kind == "counter")
        if kind == "histogram":
            assert name.endswith(("_seconds", "_records")), "a histogram's name ends with its unit"


def test_what_is_served_can_be_parsed() -> None:
    metrics = PrometheusMetrics()
    metrics.recorded({Origin.ROOT: 2}, parent_conflicts=0, declaration_conflicts=0)
    families = {f.name for f in text_string_to_metric_families(generate_latest(metrics.registry).decode())}
    assert {"llamalog_time_to_root_seconds", "process_resident_memory_bytes"} <= families
