"""The bench of rebuilds as `make bench-rebuild` starts it, on few events; its speed is not the question."""

from pathlib import Path

import pytest

from acceptance.benches import figures_of


@pytest.mark.apache_kafka
@pytest.mark.bench
def test_a_small_bench_runs_and_finds_the_rows_of_the_fold(tmp_path: Path) -> None:
    few = ("--events", "1000", "--repeat", "1", "--quiet", "1", "--rate", "300")
    figures = figures_of("bench_rebuild", *few, folder=tmp_path)
    assert figures["wrong"] == []
    assert figures["sent"]["events"] == 1000
    assert figures["loaded"][0]["report"]["rebuilt"]["rows"] == 1000
    assert figures["compared"]["report"]["differences"]["missing"] == 0
    assert figures["live"]["meanwhile"]["recorded"] > 0
