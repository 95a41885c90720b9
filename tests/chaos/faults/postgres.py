"""PostgreSQL as a server that goes away, or takes no writes."""

import asyncio
from random import Random

from chaos.fault import AWAY, Fault
from chaos.scene import Scene


async def restart_postgres(scene: Scene, _: Random) -> None:
    await asyncio.to_thread(scene.postgres.stop)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(scene.postgres.start)


async def kill_postgres(scene: Scene, _: Random) -> None:
    await asyncio.to_thread(scene.postgres.kill)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(scene.postgres.start)


async def read_only(scene: Scene, _: Random) -> None:
    async with scene.administrator() as database:
        await database.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await database.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(AWAY)
        await database.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await database.execute("SELECT pg_reload_conf()")


FAULTS = (
    Fault("postgres-restart", f"PostgreSQL shut down, started after {AWAY:.0f} s", restart_postgres),
    Fault("postgres-kill", f"PostgreSQL killed, started after {AWAY:.0f} s", kill_postgres),
    Fault("read-only", f"PostgreSQL read-only for {AWAY:.0f} s", read_only),
)
