"""The bench as `make bench` starts it, on a small backlog; how fast that was is not the question."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BAR_MISSED = 1


@pytest.mark.apache_kafka
def test_a_small_bench_runs_and_finds_the_table_as_the_fold_says(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    bench = subprocess.run(
        [
            *(sys.executable, "-m", "bench", "--albums", "30", "--repeat", "1"),
            *("--json", str(figures), "--data-dir", str(tmp_path / "data")),
        ],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert bench.returncode in (0, BAR_MISSED), bench.stdout + bench.stderr
    told = json.loads(figures.read_text())
    played, found, drained = told["played"], told["found"][0], told["drained"][0]
    assert told["differences"] == []
    assert found["rows"] == played["events"] > 900
    assert found["dead_letters"] == played["bad"] > 0
    assert played["late"] > 0
    assert played["duplicates"] > 0
    assert found["provenance_records"] >= found["rows"]
    assert 0 < drained["recorded"] <= drained["committed"] <= drained["settled"]
    assert told["durability"] == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    assert set(told["figures"]["cpu_per_event"]) == {"consumer", "migrator", "PostgreSQL", "Kafka"}
    assert bool(told["missed"]) == bool(bench.returncode)
    assert not (tmp_path / "data").exists()
