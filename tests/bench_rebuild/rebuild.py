"""One rebuild as a process: `llamalog rebuild`, timed from its start to its end, its memory watched."""

import asyncio
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil

from bench.costs import CpuSeconds, cpu_seconds, cpu_spent, peak_memory
from bench.installation import Installation
from bench.servers import Servers

_SAMPLE_INTERVAL = 0.05
_DIFFERS = 3


class RebuildBenchError(Exception):
    """A rebuild failed; there is nothing to measure."""


class Rebuilt(NamedTuple):
    """A rebuild.

    Attributes:
        report: as `--json` gives it.
        seconds: by the clock, the start of the process included.
        cpu: seconds of the process with those that it started, and of both servers.
        memory: the most that one of these processes had resident, in bytes.
        memory_of_all: the most that each of them had resident, added up.
    """

    report: dict[str, Any]
    seconds: float
    cpu: CpuSeconds
    memory: int
    memory_of_all: int


async def rebuild(installation: Installation, servers: Servers, folder: Path) -> Rebuilt:
    """Rebuild an installation's log: into an empty table, or beside a full one, which it is compared with.

    Raises:
        RebuildBenchError: it failed.
    """
    before = cpu_seconds(servers.pids())
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llamalog_service", "rebuild", "--json"),
        *("--differences", str(folder / "differences.jsonl")),
        env=installation.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    watching = asyncio.create_task(_watch(process.pid))
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    seconds = time.perf_counter() - began
    cpu, peaks = await watching
    if process.returncode not in {0, _DIFFERS}:
        raise RebuildBenchError(f"The rebuild ended with {process.returncode}: {err.decode()[-2000:]}")
    spent = cpu_spent(before, cpu_seconds(servers.pids()))
    return Rebuilt(msgspec.json.decode(out), seconds, {"rebuild": cpu} | spent, max(peaks), sum(peaks))


async def _watch(pid: int) -> tuple[float, Collection[int]]:
    """CPU seconds of a process with those that it starts, and the peak memory of each."""
    cpu, peaks = 0.0, dict[int, int]()
    with suppress(psutil.NoSuchProcess, OSError):  # it ended between two samples
        program = psutil.Process(pid)
        while program.status() != psutil.STATUS_ZOMBIE:
            cpu = max(cpu, cpu_seconds({"rebuild": pid})["rebuild"])
            for member in (program, *program.children(recursive=True)):
                with suppress(psutil.NoSuchProcess, OSError):
                    peaks[member.pid] = peak_memory(member.pid)
            await asyncio.sleep(_SAMPLE_INTERVAL)
    return cpu, peaks.values()
