"""PostgreSQL as a server that goes away, stands still, or loses a backend."""

import asyncio
import os
import signal
from contextlib import suppress
from random import Random

from chaos.absences import be_away
from chaos.fault import AWAY, Fault
from chaos.scene import Scene
from harness.waiting import eventually
from llamalog_service.domain.errors import UnavailableError

_SHOTS = 3
_PERIOD = 0.5
"""Seconds, of which PostgreSQL runs for a tenth."""
_ONE_OF_THE_CONSUMERS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'llamalog %' ORDER BY random() LIMIT 1
"""


async def restart_postgres(scene: Scene, _: Random) -> None:
    await be_away(scene.postgres.stop, scene.postgres.start, AWAY)


async def kill_postgres(scene: Scene, _: Random) -> None:
    await be_away(scene.postgres.kill, scene.postgres.start, AWAY)


async def freeze_postgres(scene: Scene, _: Random) -> None:
    await be_away(scene.postgres.freeze, scene.postgres.thaw, AWAY)


async def starve_postgres(scene: Scene, _: Random) -> None:
    while scene.load.share < 0.9:
        await asyncio.to_thread(scene.postgres.freeze)
        await asyncio.sleep(0.9 * _PERIOD)
        await asyncio.to_thread(scene.postgres.thaw)
        await asyncio.sleep(0.1 * _PERIOD)


async def kill_a_backend(scene: Scene, dice: Random) -> None:
    """As the kernel does when memory runs out: PostgreSQL ends every session, and recovers."""
    for _ in range(_SHOTS):
        pids: list[int] = []

        async def has_a_session(pids: list[int] = pids) -> bool:
            """a consumer has a session"""
            with suppress(UnavailableError):
                pids += [row["pid"] for row in await scene.pool.fetch(_ONE_OF_THE_CONSUMERS)]
            return bool(pids)

        await eventually(has_a_session, within=60)
        with suppress(ProcessLookupError):
            os.kill(pids[0], signal.SIGKILL)
        await asyncio.sleep(dice.uniform(1.0, 2.0))


FAULTS = (
    Fault("postgres-restart", f"PostgreSQL shut down, started after {AWAY:.0f} s", restart_postgres),
    Fault("postgres-kill", f"PostgreSQL killed, started after {AWAY:.0f} s", kill_postgres),
    Fault("postgres-sigstop", f"SIGSTOP of PostgreSQL for {AWAY:.0f} s", freeze_postgres),
    Fault("postgres-starved", "PostgreSQL runs for a tenth of every half second", starve_postgres),
    Fault("backend-killed", f"SIGKILL of one of PostgreSQL's backends, {_SHOTS} times", kill_a_backend),
)
