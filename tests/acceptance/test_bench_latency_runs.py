"""The bench of delays as `make bench-latency` starts it, for seconds; their length is not the question."""

from pathlib import Path

import pytest

from acceptance.benches import figures_of


@pytest.mark.apache_kafka
@pytest.mark.bench
def test_a_small_bench_runs_and_times_every_event_after_the_warm_up(tmp_path: Path) -> None:
    few = ("--rate", "300", "--seconds", "3", "--warm-up", "1")
    figures = figures_of("bench_latency", *few, folder=tmp_path)
    found, played, summary = figures["found"], figures["played"], figures["figures"]
    assert found["differences"] == []
    assert found["rows"] == played["events"] > 900
    assert played["late"] > 0
    assert 0.5 < summary["measured"] / played["events"] < 0.9
    for name in ("row", "provenance"):
        assert 0 < summary[name]["p50"] <= summary[name]["p99"] <= summary[name]["max"]
    assert summary["row"]["p50"] < summary["provenance"]["p50"]
    assert set(figures["cpu"]) == {
        "consumer",
        "migration-consumer",
        "PostgreSQL",
        "Kafka",
        "sender",
        "observer",
    }
