"""Every test has a time limit, and one that hangs prints what it waits for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[2]
_HANGING = """
import asyncio

async def waits_for_ever():
    await asyncio.Event().wait()

async def test_that_hangs():
    await asyncio.gather(asyncio.create_task(waits_for_ever()))

async def test_after_it():
    pass
"""


def test_every_test_has_a_time_limit_that_spares_its_worker(
    pytestconfig: pytest.Config,
) -> None:
    assert 0 < float(pytestconfig.getini("timeout")) <= 300
    assert pytestconfig.getini("timeout_method") == "signal"
    assert pytestconfig.getini("faulthandler_exit_on_timeout") is True
    assert float(pytestconfig.getini("faulthandler_timeout")) > float(pytestconfig.getini("timeout"))


@pytest.mark.slow
def test_a_test_that_hangs_fails_with_the_stacks_of_its_tasks_and_the_next_one_runs(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(_HANGING)
    options = ["-p", "harness.hangs", "--asyncio-mode=auto", "--timeout=1", "--timeout-method=signal"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:schemathesis", "-p", "no:cacheprovider", *options, "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "Timeout (>1.0s)" in ran.stdout
    assert "in waits_for_ever" in ran.stdout
