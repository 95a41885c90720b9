"""`llamalog-dev up` starts a process of the service that ended again, unless that cures nothing."""

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
if [ "$3" = consumer ] && [ -e {end} ]; then
    end=$(cat {end})
    {once}
    echo "on fire"
    eval "$end"
fi
exec sleep 60
"""


@pytest.fixture
def printed() -> list[str]:
    return []


@pytest.fixture
def end(tmp_path: Path) -> Path:
    return tmp_path / "end"


@pytest.fixture
def processes(
    tmp_path: Path,
    end: Path,
    printed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[ServiceProcesses]:
    """Programs that sleep; the consumer's ends by the command in a file: once, or every time."""
    program = tmp_path / "program"
    program.write_text(_PROGRAM.format(end=end, once=f"rm {end}" if request.param == "once" else ""))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    settings = Settings.model_validate(
        {"database_url": "postgresql://none@localhost/none", "kafka": "none:1"}
    )
    with ServiceProcesses(tmp_path, settings, printed.append) as started:
        yield started


def watch(processes: ServiceProcesses, ends: Callable[[], object] = lambda: False) -> None:
    """Look after them until something holds."""
    until = time.monotonic() + TIMEOUT
    while not ends():
        assert time.monotonic() < until
        processes.restart_ended()
        time.sleep(0.05)


@pytest.mark.parametrize("processes", ["once"], indirect=True)
@pytest.mark.parametrize("code", ["-9 (SIGKILL)", "0", "1", "70", "75"])
def test_a_consumer_that_ends_is_started_again_and_that_is_printed(
    processes: ServiceProcesses, tmp_path: Path, end: Path, printed: list[str], code: str
) -> None:
    end.write_text("kill -9 $$" if "SIGKILL" in code else f"exit {code}")
    processes.start()
    pid = (tmp_path / "consumer.pid").read_text()
    watch(processes, lambda: printed)
    log = tmp_path / "consumer.log"
    assert printed == [f"The provenance consumer ended with code {code} and is started again. Its log: {log}"]
    assert (tmp_path / "consumer.pid").read_text() != pid


@pytest.mark.parametrize("processes", ["always"], indirect=True)
def test_a_consumer_that_ends_again_and_again_ends_all_with_its_code_and_its_log(
    processes: ServiceProcesses, tmp_path: Path, end: Path, printed: list[str]
) -> None:
    end.write_text("exit 70")
    processes.start()
    with pytest.raises(ProcessEndedError) as error:
        watch(processes)
    assert str(error.value).startswith(
        "The provenance consumer ended with code 70; it was restarted 5 times within 60 s. "
        f"The end of its log, {tmp_path / 'consumer.log'}:\non fire"
    )
    assert len(printed) == 5


@pytest.mark.parametrize("processes", ["once"], indirect=True)
@pytest.mark.parametrize("code", [ExitCode.SETTINGS, ExitCode.CONFIGURATION])
def test_a_consumer_of_a_wrong_configuration_is_not_started_again(
    processes: ServiceProcesses, end: Path, printed: list[str], code: ExitCode
) -> None:
    end.write_text(f"exit {int(code)}")
    processes.start()
    with pytest.raises(ProcessEndedError, match=f"ended with code {int(code)}; a restart does not cure that"):
        watch(processes)
    assert printed == []
