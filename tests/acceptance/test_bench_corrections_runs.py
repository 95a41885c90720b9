"""The bench of corrections as `make bench-corrections` starts it, on few rows; speed is not the question."""

from pathlib import Path

import pytest

from acceptance.benches import figures_of


@pytest.mark.apache_kafka
@pytest.mark.bench
def test_a_small_bench_runs_and_finds_every_correction_in_the_topic(tmp_path: Path) -> None:
    figures = figures_of("bench.corrections", "--rows", "3000", folder=tmp_path)
    assert figures["wrong"] == []
    assert figures["corrections"] == 3001
    assert figures["cpu"]["migration-consumer"] > 0
