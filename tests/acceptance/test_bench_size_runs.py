"""The bench of growing tables as `make bench-size` starts it, on small ones; speed is not the question."""

from pathlib import Path

import pytest

from acceptance.benches import figures_of


@pytest.mark.apache_kafka
@pytest.mark.bench
def test_a_small_bench_runs_and_finds_the_backlog_beside_the_rows_of_before(tmp_path: Path) -> None:
    figures = figures_of("bench.size", "--rows", "90", "--rows", "900", "--albums", "100", folder=tmp_path)
    assert [one["rows"] for one in figures["drains"]] == [90, 900, 90]
    assert [one["wrong"] for one in figures["drains"]] == [[], [], []]
    assert all(one["cost"] > 0 for one in figures["drains"])
