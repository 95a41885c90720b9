"""Commands of `llamalog` as processes forked from one that has imported the service already.

To import it costs 0.8 s of CPU, to fork 0.02 s, and the tests start hundreds of processes. What is forked
is a process of its own like any other, with its environment, folder, output and signals.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from runpy import run_module

_SERVER = get_context("forkserver")
_IMPORTED = ("cli.processes", "bootstrap.api", "bootstrap.consumers")
_SERVER.set_forkserver_preload([f"llamalog_service.{name}" for name in _IMPORTED])


class ForkedProcess:
    """A Python module that runs as a program.

    Args:
        module: as after `python -m`.
        words: its arguments.
        environment: all of its variables.
        folder: in which it runs.
        log: the file that its output and its errors are appended to; standard input is empty.
    """

    def __init__(
        self,
        module: str,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
    ) -> None:
        log.touch()
        self._process = _SERVER.Process(
            target=_run, args=(module, list(words), dict(environment), folder, log)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, negative after a signal."""
        return self._process.exitcode

    def signal(self, number: signal.Signals) -> None:
        if self.exit_code is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """As the kernel does when memory runs out; returns when the process is gone."""
        self.signal(signal.SIGKILL)
        self._process.join()


def _run(module: str, words: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = [module, *words]
    run_module(module, run_name="__main__", alter_sys=True)
