"""The bench of backfills as `make bench-backfill` starts it, on few rows; its speed is not the question."""

from pathlib import Path

import pytest

from acceptance.benches import figures_of


@pytest.mark.bench
def test_a_small_bench_runs_and_finds_the_rows_of_the_oracle(tmp_path: Path) -> None:
    few = ("--rows", "3000", "--repeat", "1", "--quiet", "1", "--live", "20")
    figures = figures_of("bench_backfill", *few, folder=tmp_path)
    assert figures["wrong"] == []
    assert figures["rows"] >= 3000  # live rows that came before the plan are planned too
    assert figures["backfills"][0]["set"] > 0
    assert min(figures["live_batches"].values()) > 0
