"""A PostgreSQL primary that is lost, its streaming replica promoted in its place, or taken for it."""

import asyncio
import os
import signal
from random import Random

from chaos.fault import AWAY, Fault
from chaos.operating import command, start_backfill, until_backfilled
from chaos.scene import Scene
from harness.waiting import eventually
from llamalog_service.domain.errors import UnavailableError
from llamalog_tools.devstack import PostgresStandby
from llamalog_tools.devstack.data_dir import HOST

_LOST = 100
"""Messages at least whose recording the replica never hears of."""
_REPLICATES = "SELECT pid FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = $1"


async def fail_over_synchronously(scene: Scene, _: Random) -> None:
    """Every commit that the service knows of is on the replica."""
    standby = await _standby(scene)
    async with scene.administrator() as database:
        await database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await database.execute("SELECT pg_reload_conf()")
    await _sender(scene, "sync")
    scene.load.go_on()
    await scene.until_published(0.6)
    recorded = await scene.recorded()
    await _lose_the_primary(scene, standby)
    found = await scene.recorded()
    scene.wrong += [
        f"partition {partition}: {offset} was recorded before the failover, {found.get(partition)} after it"
        for partition, offset in recorded.items()
        if found.get(partition, 0) < offset
    ]


async def fail_over_asynchronously(scene: Scene, _: Random) -> None:
    """The replica lags: what was committed last is lost with the primary."""
    standby = await _standby(scene)
    os.kill(await _sender(scene, "async"), signal.SIGSTOP)
    scene.load.go_on()
    behind = sum((await scene.recorded()).values())

    async def is_ahead() -> bool:
        """the primary has recorded what the replica lacks"""
        return sum((await scene.recorded()).values()) >= behind + _LOST

    await eventually(is_ahead, within=120)
    recorded = sum((await scene.recorded()).values())
    await _lose_the_primary(scene, standby)
    if sum((await scene.recorded()).values()) >= recorded:
        scene.wrong.append("the failover lost nothing: it shows nothing")


async def lead_to_the_replica(scene: Scene, _: Random) -> None:
    """An address that leads to a replica takes no writes, and reads may be old."""
    standby = await _standby(scene)
    await _sender(scene, "async")
    scene.load.go_on()
    scene.wire.lead_to(HOST, standby.port("postgres"))
    await asyncio.sleep(AWAY)

    async def is_refused() -> bool:
        """a process was refused a write"""
        reasons = [line["reason"] for process in scene.processes for line in process.logged("waiting")]
        return any("ReadOnly" in reason for reason in reasons)

    await eventually(is_refused, within=120)
    scene.wire.lead_to(HOST, scene.postgres.port("postgres"))


async def recover_from_the_loss(scene: Scene) -> None:
    """By docs/reliability.md: roots whose recompute was lost, then records that readers take for newer."""
    await until_backfilled(scene, await start_backfill(scene))
    await command(scene, "provenance", "republish", "--supersede")


async def _standby(scene: Scene) -> PostgresStandby:
    """A replica of the scene's PostgreSQL; the load waits for it, and in the end the primary is as it was."""
    scene.load.pause()
    primary = scene.postgres
    standby = PostgresStandby(scene.folder / "standby", primary)

    async def go_back() -> None:
        await asyncio.to_thread(standby.stop)
        await asyncio.to_thread(primary.start)
        scene.lead_to(primary)
        await scene.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await scene.execute("SELECT pg_reload_conf()")

    scene.at_end.push_async_callback(go_back)
    await asyncio.to_thread(standby.start)
    return standby


async def _sender(scene: Scene, sync_state: str) -> int:
    """The process of the primary that sends the log to the replica, once it does."""
    senders: list[int] = []

    async def sends() -> bool:
        """the replica follows"""
        senders.extend([row["pid"] for row in await scene.pool.fetch(_REPLICATES, sync_state)])
        return bool(senders)

    await eventually(sends, within=60)
    return senders[0]


async def _lose_the_primary(scene: Scene, standby: PostgresStandby) -> None:
    await asyncio.to_thread(scene.postgres.kill)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(standby.promote)
    scene.lead_to(standby)

    async def answers() -> bool:
        """the promoted replica answers"""
        try:
            return bool(await scene.pool.fetchval("SELECT NOT pg_is_in_recovery()"))
        except UnavailableError:
            return False

    await eventually(answers, within=60)


FAULTS = (
    Fault(
        "read-only",
        f"PostgreSQL's address leads to a read-only replica for {AWAY:.0f} s",
        lead_to_the_replica,
    ),
    Fault(
        "failover-synchronous",
        f"the primary killed, its synchronous replica promoted after {AWAY:.0f} s",
        fail_over_synchronously,
    ),
    Fault(
        "failover-asynchronous",
        f"the primary killed, a replica that lags promoted after {AWAY:.0f} s; transactions lost",
        fail_over_asynchronously,
        recover_from_the_loss,
    ),
)
