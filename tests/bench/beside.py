"""A process beside the one that metrics, whose work takes no time of that one's event loop."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TESTS = Path(__file__).parents[1]


@contextmanager
def working_beside(module: str, *arguments: str) -> Iterator[None]:
    """Run a module of a bench while the context lasts.

    It prints a line as soon as it is at work, and ends when it is interrupted.
    """
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, cwd=_TESTS, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
