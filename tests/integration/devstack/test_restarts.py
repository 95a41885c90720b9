"""`llamalog-dev up` starts a consumer again that a restart cures, and no other."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.waiting import TIMEOUT
from llamalog_service.domain.errors import ExitCode
from llamalog_service.settings import Settings
from llamalog_tools.cli.processes import ServiceProcesses
from llamalog_tools.devstack.errors import ProcessEndedError

_PROGRAM = """#!/bin/sh
if [ "$3" = consumer ] && [ -e {code} ]; then
    code=$(cat {code})
    {once}
    exit "$code"
fi
exec sleep 60
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return tmp_path / "code"


@pytest.fixture
def consumers(
    tmp_path: Path,
    code: Path,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[ServiceProcesses]:
    """Two programs that sleep, the consumer's ending with the code in a file: once, or every time."""
    program = tmp_path / "program"
    program.write_text(_PROGRAM.format(code=code, once=f"rm {code}" if request.param == "once" else ""))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    settings = Settings.model_validate(
        {"database_url": "postgresql://none@localhost/none", "kafka": "none:1"}
    )
    with ServiceProcesses(tmp_path, settings, said.append) as started:
        yield started


def watch(consumers: ServiceProcesses, ends: Callable[[], object] = lambda: False) -> None:
    """Look after them until something holds."""
    until = time.monotonic() + TIMEOUT
    while not ends():
        assert time.monotonic() < until
        consumers.check_running()
        time.sleep(0.05)


@pytest.mark.parametrize("consumers", ["once"], indirect=True)
@pytest.mark.parametrize("ended_with", [ExitCode.STALLED, ExitCode.BROKEN])
def test_a_consumer_that_a_restart_cures_is_started_again_and_that_is_said(
    consumers: ServiceProcesses, code: Path, said: list[str], ended_with: ExitCode
) -> None:
    code.write_text(str(int(ended_with)))
    consumers.start()
    watch(consumers, lambda: said)
    (line,) = said
    assert f"The provenance consumer ended with code {int(ended_with)} and was started again" in line
    assert "consumer.log" in line


@pytest.mark.parametrize("consumers", ["always"], indirect=True)
def test_a_consumer_that_its_restart_did_not_cure_ends_all(
    consumers: ServiceProcesses, code: Path, said: list[str]
) -> None:
    code.write_text("70")
    consumers.start()
    with pytest.raises(ProcessEndedError, match="ended with code 70"):
        watch(consumers)
    assert len(said) == 1


@pytest.mark.parametrize("consumers", ["once"], indirect=True)
def test_a_consumer_that_a_restart_does_not_cure_is_not_started_again(
    consumers: ServiceProcesses, code: Path, said: list[str]
) -> None:
    code.write_text("1")
    consumers.start()
    with pytest.raises(ProcessEndedError, match="ended with code 1"):
        watch(consumers)
    assert said == []
