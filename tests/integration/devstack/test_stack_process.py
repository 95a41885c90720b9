"""What holds for every program that the local stack starts."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from harness.waiting import TIMEOUT
from llamalog_tools.devstack import DataDirBusyError, LocalPostgres, ProcessEndedError
from llamalog_tools.devstack import data_dir as lock_module
from llamalog_tools.devstack.data_dir import DataDirLock
from llamalog_tools.devstack.process import OwnedProcess

# Starts the stack in a thread that ends: the kernel ties a child to the thread that made it.
_STARTER = """
import sys, threading, time
from pathlib import Path
from llamalog_tools.devstack import LocalStack, StackOptions
stack = LocalStack(Path(sys.argv[1]), StackOptions(kafka=sys.argv[2] or None), fast=True)
starting = threading.Thread(target=stack.start)
starting.start()
starting.join()
print(stack.postgres.pid, stack.kafka.pid, flush=True)
time.sleep(600)
"""


def _gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("kafka", ["embedded", ""], ids=["embedded broker", "broker of choice"])
def test_a_killed_starter_leaves_no_process_behind_and_its_data_can_be_started_again(
    tmp_path: Path, kafka: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(tmp_path), kafka], stdout=subprocess.PIPE, text=True
    ) as starter:
        family: list[psutil.Process] = []
        try:
            assert starter.stdout is not None
            pids = {int(word) for word in starter.stdout.readline().split()}
            family = psutil.Process(starter.pid).children(recursive=True)
            time.sleep(0.3)  # the thread that started them has ended meanwhile
            servers = [member for member in family if member.pid in pids]
            assert len(servers) == 2 and not any(_gone(server) for server in servers)

            os.kill(starter.pid, signal.SIGKILL)
            starter.wait()
            again = LocalPostgres(tmp_path / "postgres", fast=True)
            again.start()  # waits for those that are dying
            again.stop()
            deadline = time.monotonic() + TIMEOUT
            while not all(_gone(member) for member in family):
                assert time.monotonic() < deadline, f"left: {[m for m in family if not _gone(m)]}"
                time.sleep(0.05)
        finally:
            starter.kill()
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    member.kill()


def test_a_port_that_another_program_answers_on_does_not_make_a_program_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        program = OwnedProcess("a sleeper", ["sleep", "60"], log=tmp_path / "log")
        with pytest.raises(ProcessEndedError, match="a sleeper was not ready"):
            program.wait_until(lambda: program.listens_on(port), seconds=0.5)
        assert not program.is_running()


def test_a_program_that_ends_early_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    program = OwnedProcess("a failure", ["sh", "-c", "echo disk on fire; exit 3"], log=tmp_path / "log")
    with pytest.raises(ProcessEndedError, match=r"ended with code 3(.|\n)*disk on fire"):
        program.wait_until(lambda: program.listens_on(1), seconds=TIMEOUT)


def test_killing_a_program_ends_what_it_started_too(tmp_path: Path) -> None:
    script = "sleep 600 & echo $!; wait"
    program = OwnedProcess("a parent", ["sh", "-c", script], log=tmp_path / "log")
    program.wait_until(lambda: program.output().strip() != "", seconds=TIMEOUT)
    child = psutil.Process(int(program.output()))
    program.kill()
    assert _gone(child)


def test_data_is_locked_for_as_long_as_a_program_of_a_dead_starter_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "_DYING_SECONDS", 0.2)
    starter = """
import subprocess, sys
from pathlib import Path
from llamalog_tools.devstack.data_dir import DataDirLock
lock = DataDirLock(Path(sys.argv[1]))
lock.acquire()
left = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fd],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
lock.note(left.pid, "a sleeper")
print(left.pid)
"""
    printed = subprocess.run(
        [sys.executable, "-c", starter, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )
    left = int(printed.stdout)
    second = DataDirLock(tmp_path)
    try:
        with pytest.raises(DataDirBusyError, match=rf"process {left} \(a sleeper\)\. Nothing") as refused:
            second.acquire()
        assert refused.value.pids == (left,)
    finally:
        os.kill(left, signal.SIGKILL)
    monkeypatch.setattr(lock_module, "_DYING_SECONDS", 5.0)
    second.acquire()
    second.release()
