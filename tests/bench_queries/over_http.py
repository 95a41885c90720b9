"""`llamalog api` as a process, and a client that keeps its connection."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from bench.installation import Installation
from llamalog_tools.devstack.process import OwnedProcess

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class ApiError(Exception):
    """The API did not start, or answered with something else than what was requested."""


class Client:
    """Sends one request after the other."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = HTTPConnection(host, port, timeout=30)

    def seconds_of(self, path: str) -> float:
        """How long an answer takes, its body included.

        Raises:
            ApiError: it is not 200.
        """
        began = time.perf_counter()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - began
        if answer.status != 200:
            raise ApiError(f"{path}: {answer.status} {body[:500]!r}")
        return seconds


@contextmanager
def api_of(installation: Installation, logs: Path) -> Iterator[Client]:
    """The API of an installation, without tokens, on a port of its own."""
    process = OwnedProcess(
        "llamalog api",
        [str(Path(sys.executable).with_name("llamalog")), "api"],
        log=logs / f"{installation.prefix}api.log",
        env=installation.environment() | {"LLAMALOG_API_PORT": "0"},
    )
    try:
        address = urlsplit(_address(process))
        assert address.hostname is not None
        assert address.port is not None
        yield Client(address.hostname, address.port)
    finally:
        if not process.stop(signal.SIGTERM, _STOP_SECONDS):
            process.kill()


def _address(process: OwnedProcess) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.is_running():
        for line in process.output().splitlines():
            if '"serving"' in line:
                address: str = json.loads(line)["address"]
                return address
        time.sleep(0.05)
    raise ApiError(f"It did not start. Its log ends:\n{process.output()[-2000:]}")
