"""The bench of alternatives as `make bench-peers` starts it, on few events; speed is not the question."""

from pathlib import Path
from typing import Final

import pytest

from acceptance.benches import figures_of

_SECONDS: Final = 1200
"""A first run fetches jars and packages, which takes minutes where other programs run."""


@pytest.mark.apache_kafka
@pytest.mark.bench
@pytest.mark.timeout(_SECONDS + 60)
def test_a_small_bench_runs_every_contender_and_finds_what_each_was_given(tmp_path: Path) -> None:
    few = ("--albums", "200", "--repeat", "1", "--warm-up", "0", "--tutorial", "60")
    only = ("--only", "service,floor,copy,connect,tutorial")
    figures = figures_of("bench_peers", *few, *only, folder=tmp_path, seconds=_SECONDS)
    assert figures["wrong"] == []
    outcomes = {one["contender"]: one for one in figures["rounds"][0]}
    assert {"this service", "the I/O floor", "COPY by 20,000", "a service as in a tutorial"} <= set(outcomes)
    assert all(one["seconds"] > 0 for one in outcomes.values())
    # The kernel counts CPU time in ticks of 10 ms, and a process at a time: so few events may take less
    # than one tick in each process of a fast contender. The sum over all contenders is certain to be more.
    assert sum(one["cpu"]["PostgreSQL"] for one in outcomes.values()) > 0
    if figures["missing"]:
        pytest.skip(" ".join(figures["missing"]))
    tuned = "Kafka Connect + Debezium JDBC sink, tuned"
    assert {f"{tuned}, cold JVM", f"{tuned}, warm JVM"} <= set(outcomes)
    assert len(figures["bars"]) == 5


@pytest.mark.apache_kafka
@pytest.mark.bench
@pytest.mark.timeout(_SECONDS + 60)
def test_data_rentgen_stores_the_runs_that_the_bench_sends(tmp_path: Path) -> None:
    few = ("--runs", "100", "--runs-with-datasets", "40", "--repeat", "1", "--albums", "1")
    figures = figures_of("bench_peers", *few, "--only", "rentgen", folder=tmp_path, seconds=_SECONDS)
    if figures["missing"]:
        pytest.skip(" ".join(figures["missing"]))
    assert figures["wrong"] == []
    assert [one["events"] for one in figures["rounds"][0]] == [200, 80]
