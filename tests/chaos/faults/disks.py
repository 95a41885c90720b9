"""File systems of PostgreSQL and of Kafka that are full."""

import asyncio
from random import Random

from chaos.fault import AWAY, Fault
from chaos.scene import Scene
from chaos.servers import Servers, empty, fill
from harness.waiting import eventually
from llamalog_service.domain.errors import UnavailableError
from llamalog_tools.devstack import LocalStackError

_FULL = "DiskFullError"


async def fill_the_disk_of_postgres(scene: Scene, _: Random) -> None:
    """It refuses what needs space; without space for its log it ends, and is started until it stays."""
    postgres = scene.postgres

    async def has_no_space() -> bool:
        """PostgreSQL has found no space"""
        await asyncio.to_thread(fill, postgres.folder)
        reasons = [line["reason"] for process in scene.processes for line in process.logged("waiting")]
        return not postgres.is_running or any(_FULL in reason for reason in reasons)

    await eventually(has_no_space, within=120)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(empty, postgres.folder)

    async def takes_writes() -> bool:
        """PostgreSQL takes writes again"""
        try:
            await asyncio.to_thread(postgres.start)
            await scene.pool.execute("CREATE TEMPORARY TABLE space AS SELECT FROM generate_series(1, 1000)")
            await scene.pool.execute("SELECT pg_switch_wal()")
        except (LocalStackError, UnavailableError):
            return False
        return True

    await eventually(takes_writes, within=120)


async def fill_the_disk_of_kafka(scene: Scene, _: Random) -> None:
    """A broker whose only disk takes nothing ends itself."""
    kafka = scene.kafka

    async def has_ended() -> bool:
        """the broker has ended"""
        await asyncio.to_thread(fill, kafka.folder)
        return not kafka.is_running

    await eventually(has_ended, within=120)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(empty, kafka.folder)
    await asyncio.to_thread(kafka.start)


FAULTS = (
    Fault(
        "postgres-disk-full",
        f"PostgreSQL's disk full, for {AWAY:.0f} s after it has noticed",
        fill_the_disk_of_postgres,
        servers=Servers.SMALL_DISKS,
    ),
    Fault(
        "kafka-disk-full",
        f"the broker's disk full until it ends itself, started after {AWAY:.0f} s",
        fill_the_disk_of_kafka,
        servers=Servers.SMALL_DISKS,
    ),
)
