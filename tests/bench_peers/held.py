"""A consumer that is held while its topic is filled, so that its clock starts with a full topic.

It joins its group on an empty topic, is stopped by SIGSTOP, and goes on when everything is there.
"""

import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.drain import until
from bench.installation import Installation
from bench.kafka import GroupWatch
from llamalog_tools.devstack.process import OwnedProcess

_START_SECONDS = 120.0


@asynccontextmanager
async def held(
    name: str,
    command: Sequence[str],
    group: str,
    installation: Installation,
    *,
    log: Path,
    env: Mapping[str, str],
) -> AsyncIterator[OwnedProcess]:
    """The process, stopped; killed in the end, since some of them commit what they have not done."""
    watch = await GroupWatch.connect(installation.bootstrap)
    process = OwnedProcess(name, command, log=log, env=env)
    try:
        await until(lambda: watch.has_members(group), [process], _START_SECONDS)
        process.signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        await watch.close()


def go_on(process: OwnedProcess) -> float:
    """Let the process go on; the time, by the clock on the wall."""
    began = time.time()
    process.signal(signal.SIGCONT)
    return began
