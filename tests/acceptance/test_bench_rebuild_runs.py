"""The bench of rebuilds as `make bench-rebuild` starts it, on few events; its speed is not the question."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BAR_MISSED = 1


@pytest.mark.apache_kafka
def test_a_small_bench_runs_and_finds_the_rows_as_the_fold_says(tmp_path: Path) -> None:
    told = tmp_path / "figures.json"
    bench = subprocess.run(
        [
            *(sys.executable, "-m", "bench_rebuild", "--events", "2000", "--repeat", "1", "--quiet", "2"),
            *("--json", str(told), "--data-dir", str(tmp_path / "data")),
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
    assert figures["sent"]["events"] == 2000
    assert figures["filled"][0]["report"]["rebuilt"]["rows"] == 2000
    assert figures["compared"]["report"]["differences"]["missing"] == 0
    assert figures["live"]["meanwhile"]["recorded"] > 0
    assert bool(figures["missed"]) == (bench.returncode == BAR_MISSED)
    assert figures["durability"] == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    assert not (tmp_path / "data").exists()
