"""The bench of questions as `make bench-queries` starts it, on few rows; its speed is not the question."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BAR_MISSED = 1


@pytest.mark.apache_kafka
def test_a_small_bench_of_questions_asks_in_three_ways_while_events_come_in(tmp_path: Path) -> None:
    told = tmp_path / "figures.json"
    bench = subprocess.run(
        [
            *(sys.executable, "-m", "bench_queries", "--albums", "300", "--big-tree", "1000"),
            *("--rounds", "3", "--backlog", "20", "--json", str(told), "--data-dir", str(tmp_path / "data")),
        ],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert bench.returncode in (0, BAR_MISSED), bench.stdout + bench.stderr
    figures = json.loads(told.read_text())
    assert figures["rows"] == 300 * 9 + 1000 + 28
    assert figures["asked"] == {
        "timeline of an album": 30,
        "page of root jobs": 9,
        "first piece of a tree of 20,000": 3,
    }
    assert figures["ingest"]["meanwhile"] > 0
    assert all(one["http_p50"] > one["module"] / 10 > 0 for one in figures["figures"].values())
    assert bool(figures["missed"]) == (bench.returncode == BAR_MISSED)
    assert figures["durability"] == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    assert not (tmp_path / "data").exists()
