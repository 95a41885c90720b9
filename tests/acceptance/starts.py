"""`llamalog-dev up` as a process of its own: started, read, ended."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from harness.environments import without_settings
from harness.started_commands import command_module

SAMPLE = {"albums": 4, "late": 0.4, "duplicates": 0.05, "bad": 0.03, "seed": 7}
READY = "Running until Ctrl-C."
_SECONDS = 120.0
_LINE_OF_TABLE = re.compile(r"│\s*(.+?)\s*│\s*(-?[\d,]+)\s*│\s*(-?[\d,]+)\s*│")


class Up:
    """`llamalog-dev up` with a small sample; it and its programs are gone at the end of any test.

    Args:
        kafka: as in LLAMALOG_KAFKA; empty: the best that this machine can have.
    """

    def __init__(self, folder: Path, kafka: str = "", **environment: str) -> None:
        self.data = folder / "data"
        self._file = folder / f"printed-{time.monotonic_ns()}"
        options = [f"--{name}={value}" for name, value in SAMPLE.items()]
        with self._file.open("wb") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "llamalog_tools", "up", "--data", str(self.data), *options],
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=_environment(kafka) | environment,
                cwd=folder,
            )
        self._family: list[psutil.Process] = []

    @property
    def printed(self) -> str:
        return self._file.read_text(encoding="utf-8")

    def wait_for(self, words: str, times: int = 1) -> None:
        """Wait until it has printed the words, so many times."""
        deadline = time.monotonic() + _SECONDS
        while self.printed.count(words) < times:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.printed}"
            assert time.monotonic() < deadline, f"{words!r} was not printed:\n{self.printed}"
            time.sleep(0.1)
        self.family()

    def family(self) -> list[psutil.Process]:
        """Every process that it has started so far and that runs."""
        known = set(self._family)
        self._family += [
            child for child in psutil.Process(self.process.pid).children(recursive=True) if child not in known
        ]
        return [member for member in self._family if not is_gone(member)]

    def end(self, by: signal.Signals) -> int:
        """Send a signal and wait; the exit code."""
        self.family()
        self.process.send_signal(by)
        return self.process.wait(_SECONDS)

    def left_after(self, seconds: float) -> list[psutil.Process]:
        """Those of its processes that still run after at most so many seconds."""
        deadline = time.monotonic() + seconds
        while left := [member for member in self._family if not is_gone(member)]:
            if time.monotonic() > deadline:
                return left
            time.sleep(0.05)
        return []

    def table(self) -> dict[str, tuple[int, int]]:
        """The numbers printed, this run's and those in all, by the words that stand before them."""
        return {
            name: (int(now.replace(",", "")), int(ever.replace(",", "")))
            for name, now, ever in _LINE_OF_TABLE.findall(self.printed)
        }

    def exported(self) -> dict[str, str]:
        """The variables that it prints to be exported."""
        return dict(re.findall(r"^  export (\w+)='(.*)'$", self.printed, re.MULTILINE))

    def database_url(self) -> str:
        """The URL of its own database, the password from the file that it names."""
        exported = self.exported()
        password = Path(exported["LLAMALOG_DATABASE_PASSWORD_FILE"]).read_text().strip()
        return exported["LLAMALOG_DATABASE_URL"].replace("@", f":{password}@")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.family()
            self.process.kill()
            self.process.wait()
        for member in self._family:
            if not is_gone(member):
                member.kill()


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def run_llamalog(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Any other command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", command_module(words[0]), *words],
        env=clean_environment() | dict(environment),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def run_shell(
    lines: str, *, environment: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Lines as a reader pastes them into a terminal, to their end."""
    return subprocess.run(
        ["bash", "-c", lines],
        env=clean_environment() | dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """Ours without any setting of llamalog's, and with a terminal wide enough for every line."""
    return without_settings() | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


def _environment(kafka: str) -> dict[str, str]:
    passed_on = ["LLAMALOG_CACHE"] if kafka else ["LLAMALOG_CACHE", "LLAMALOG_REQUIRE_APACHE_KAFKA"]
    environment = {name: os.environ[name] for name in passed_on if name in os.environ}
    if kafka:
        environment["LLAMALOG_KAFKA"] = kafka
    return clean_environment() | environment
