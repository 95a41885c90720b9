"""The bench as `make bench` starts it, on a small backlog; how fast that was is not the question."""

from pathlib import Path

import pytest

from acceptance.benches import figures_of


@pytest.mark.apache_kafka
@pytest.mark.bench
def test_a_small_bench_runs_and_finds_the_table_of_the_fold(tmp_path: Path) -> None:
    figures = figures_of("bench", "--albums", "100", "--repeat", "1", folder=tmp_path)
    played, found, drained = figures["played"], figures["found"][0], figures["drained"][0]
    assert figures["differences"] == []
    assert found["rows"] == played["events"] > 3000
    assert found["dead_letters"] == played["bad"] > 0
    assert played["late"] > 0
    assert played["duplicates"] > 0
    assert found["provenance_records"] >= found["rows"]
    assert 0 < drained["recorded"] <= drained["committed"] <= drained["settled"]
    assert set(figures["figures"]["cpu_per_event"]) == {
        "consumer",
        "migration-consumer",
        "PostgreSQL",
        "Kafka",
    }
