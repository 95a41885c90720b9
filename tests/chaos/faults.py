"""What is broken, one function a fault: it breaks something in the middle of the load and mends it.

A fault ends when everything that it broke is mended; from then on the recovery is timed.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

import asyncpg

from chaos.proxy import Cut
from chaos.scene import STOPS_WITHIN, CreatedAgain, Scene, administering
from harness.waiting import eventually
from llamalog_service.kafka.topics import TopicSpec, create_topics

AWAY = 5.0
"""Seconds that a server or a topic is away."""
_STOPPED = 20.0
"""Seconds that a process stands still: longer than Kafka waits for it."""
_TRIES = 6


class Fault(NamedTuple):
    """What is done to a scene, in words for the table of docs/reliability.md."""

    name: str
    what: str
    strike: Callable[[Scene, Random], Awaitable[None]]


async def kill_consumers(scene: Scene, dice: Random) -> None:
    for _ in range(_TRIES):
        dice.choice(scene.consumers).kill()
        await asyncio.sleep(dice.uniform(0.5, 1.5))


async def kill_the_migration_consumer(scene: Scene, dice: Random) -> None:
    for _ in range(_TRIES):
        scene.migration_consumers[0].kill()
        await asyncio.sleep(dice.uniform(1.0, 2.0))


async def end_consumers(scene: Scene, dice: Random) -> None:
    for consumer in scene.consumers:
        await consumer.stop(STOPS_WITHIN)
        await asyncio.sleep(dice.uniform(0.0, 0.5))
        consumer.start()


async def stop_a_consumer(scene: Scene, _: Random) -> None:
    scene.consumers[0].signal(signal.SIGSTOP)
    await asyncio.sleep(_STOPPED)
    scene.consumers[0].signal(signal.SIGCONT)


async def restart_postgres(scene: Scene, _: Random) -> None:
    await asyncio.to_thread(scene.postgres.stop)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(scene.postgres.start)


async def kill_postgres(scene: Scene, _: Random) -> None:
    await asyncio.to_thread(scene.postgres.kill)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(scene.postgres.start)


async def cut_connections(scene: Scene, dice: Random) -> None:
    for _ in range(_TRIES):
        scene.wire.sever()
        await asyncio.sleep(dice.uniform(0.3, 1.0))


async def cut_commits(scene: Scene, dice: Random) -> None:
    scene.wire.cuts += dice.sample([*Cut] * _TRIES, 2 * _TRIES)

    async def all_are_cut() -> bool:
        return not scene.wire.cuts

    await eventually(all_are_cut, within=60)


async def freeze_connections(scene: Scene, _: Random) -> None:
    scene.wire.freeze()
    await asyncio.sleep(AWAY)
    scene.wire.thaw()


async def read_only(scene: Scene, _: Random) -> None:
    async with _administrator(scene) as database:
        await database.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await database.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(AWAY)
        await database.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await database.execute("SELECT pg_reload_conf()")


async def lock_the_table(scene: Scene, _: Random) -> None:
    async with _administrator(scene) as database, database.transaction():
        await database.execute("LOCK TABLE llama_logs IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(AWAY)


async def restart_kafka(scene: Scene, _: Random) -> None:
    await asyncio.to_thread(scene.kafka.stop)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(scene.kafka.start)


async def kill_kafka(scene: Scene, _: Random) -> None:
    await asyncio.to_thread(scene.kafka.kill)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(scene.kafka.start)


async def recreate_dead_letters(scene: Scene, _: Random) -> None:
    await _recreate(scene, scene.topics.dead_letters)


async def recreate_provenance(scene: Scene, _: Random) -> None:
    await _recreate(scene, scene.topics.provenance)


async def recreate_entity_events(scene: Scene, _: Random) -> None:
    await _recreate(scene, scene.topics.entity_events)


async def rebalance_storm(scene: Scene, dice: Random) -> None:
    guests = [scene.new_consumer() for _ in range(2)]
    for _ in range(_TRIES):
        await asyncio.sleep(dice.uniform(0.8, 1.6))
        guest = dice.choice(guests)
        if guest.exit_code is None:
            guest.signal(signal.SIGTERM)
        else:
            guest.start()
    for guest in guests:
        await guest.stop(STOPS_WITHIN)
        scene.consumers.remove(guest)


async def _recreate(scene: Scene, topic: TopicSpec) -> None:
    async with administering(scene.settings.kafka) as admin:
        await admin.delete_topics([topic.name])
        await asyncio.sleep(AWAY)
        await create_topics(admin, scene.topics)
        scene.created_again = CreatedAgain(topic.name, datetime.now(UTC))


@asynccontextmanager
async def _administrator(scene: Scene) -> AsyncIterator[asyncpg.Connection]:
    """A session of its own that no read-only mode concerns."""
    async with scene.pool.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        yield connection


FAULTS = (
    Fault("sigkill-consumer", f"SIGKILL of a provenance consumer, {_TRIES} times", kill_consumers),
    Fault(
        "sigkill-migration-consumer",
        f"SIGKILL of the migration consumer, {_TRIES} times",
        kill_the_migration_consumer,
    ),
    Fault("sigterm", "SIGTERM of each provenance consumer in turn, started again", end_consumers),
    Fault("sigstop", f"SIGSTOP of a provenance consumer for {_STOPPED:.0f} s", stop_a_consumer),
    Fault("rebalance-storm", f"consumers that join and leave, {_TRIES} times in 8 s", rebalance_storm),
    Fault("postgres-restart", f"PostgreSQL shut down, started after {AWAY:.0f} s", restart_postgres),
    Fault("postgres-kill", f"PostgreSQL killed, started after {AWAY:.0f} s", kill_postgres),
    Fault("cut", f"every connection to PostgreSQL cut, {_TRIES} times", cut_connections),
    Fault("cut-in-commit", f"connections cut in COMMIT: unheard and unanswered, {_TRIES} each", cut_commits),
    Fault("hang", f"PostgreSQL does not answer for {AWAY:.0f} s", freeze_connections),
    Fault("read-only", f"PostgreSQL read-only for {AWAY:.0f} s", read_only),
    Fault("lock", f"llama_logs locked by another session for {AWAY:.0f} s", lock_the_table),
    Fault("kafka-restart", f"the broker shut down, started after {AWAY:.0f} s", restart_kafka),
    Fault("kafka-kill", f"the broker killed, started after {AWAY:.0f} s", kill_kafka),
    Fault(
        "dead-letters-recreated",
        f"the dead-letter topic deleted, created again after {AWAY:.0f} s",
        recreate_dead_letters,
    ),
    Fault(
        "provenance-recreated",
        f"the provenance topic deleted, created again after {AWAY:.0f} s",
        recreate_provenance,
    ),
)
RECREATED_UNDER_POSITIONS = Fault(
    "entity-events-recreated",
    f"the topic of entity events deleted, created again after {AWAY:.0f} s; its loss accepted",
    recreate_entity_events,
)
