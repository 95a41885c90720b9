"""The bench of backfills as `make bench-backfill` starts it, on few rows; its speed is not the question."""

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
BAR_MISSED = 1


def test_a_small_bench_runs_and_finds_the_rows_as_the_oracle_says(tmp_path: Path) -> None:
    told = tmp_path / "figures.json"
    bench = subprocess.run(
        [
            *(sys.executable, "-m", "bench_backfill", "--rows", "3000", "--repeat", "1", "--quiet", "1"),
            *("--live", "20", "--json", str(told), "--data-dir", str(tmp_path / "data")),
        ],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert bench.returncode in (0, BAR_MISSED), bench.stdout + bench.stderr
    figures = json.loads(told.read_text())
    assert figures["wrong"] == []
    assert figures["rows"] >= 3000  # live rows that came before the plan are planned too
    assert figures["backfills"][0]["set"] > 0
    assert min(figures["live_batches"].values()) > 0
    assert bool(figures["missed"]) == (bench.returncode == BAR_MISSED)
    assert figures["durability"] == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    assert not (tmp_path / "data").exists()
