"""The bench of queries as `make bench-queries` starts it, on few rows; its speed is not the question."""

from pathlib import Path

import pytest

from acceptance.benches import figures_of


@pytest.mark.apache_kafka
@pytest.mark.bench
def test_a_small_bench_of_queries_runs_each_in_three_ways_while_events_come_in(tmp_path: Path) -> None:
    few = ("--albums", "300", "--big-tree", "1000", "--rounds", "3", "--backlog", "20")
    figures = figures_of("bench_queries", *few, folder=tmp_path)
    assert figures["rows"] == 300 * 9 + 1000 + 28
    assert figures["samples"] == {
        "timeline of an album": 30,
        "page of root jobs": 9,
        "first piece of a tree of 20,000": 3,
    }
    assert figures["ingest"]["meanwhile"] > 0
    assert all(one["http_p50"] > one["module"] / 10 > 0 for one in figures["figures"].values())
