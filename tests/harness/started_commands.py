"""Commands of `llamalog` as processes of their own, beside other processes of a test."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.waiting import TIMEOUT

_NO_CHECKOUT = Path("/")


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it has printed with `--json`."""
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class StartedCommand:
    """A command under way."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ended(self, within: float = TIMEOUT) -> Ended:
        out, err = await asyncio.wait_for(self.process.communicate(), within)
        ended = Ended(self.process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in ended.out + ended.err, ended.err
        return ended

    async def stop(self, by: signal.Signals) -> Ended:
        self.process.send_signal(by)
        return await self.ended()


def command_module(command: str) -> str:
    """The module that has a command: of the tools or of the service."""
    return "llamalog_tools" if command in {"up", "simulate"} else "llamalog_service"


AS_A_JOB = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""Before a command: it is started as a shell starts a job in the background, which ignores SIGINT."""


async def started(*words: str, environment: Mapping[str, str], folder: Path = _NO_CHECKOUT) -> StartedCommand:
    """Start a command in a folder, so that no `.env` is read; there is no terminal."""
    process = await asyncio.create_subprocess_exec(
        *AS_A_JOB,
        sys.executable,
        "-m",
        command_module(words[0]),
        *words,
        env={**environment, "COLUMNS": "160"},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return StartedCommand(process)


async def llamalog(
    *words: str, environment: Mapping[str, str], folder: Path = _NO_CHECKOUT, within: float = TIMEOUT
) -> Ended:
    """Run a command to its end."""
    return await (await started(*words, environment=environment, folder=folder)).ended(within)
