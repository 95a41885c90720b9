"""Kafka as a broker that goes away, and topics that are deleted and created again."""

import asyncio
from datetime import UTC, datetime
from random import Random

from chaos.fault import AWAY, Fault
from chaos.scene import CreatedAgain, Scene, administering
from llamalog_service.kafka.topics import TopicSpec, create_topics


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


async def _recreate(scene: Scene, topic: TopicSpec) -> None:
    async with administering(scene.settings.kafka) as admin:
        await admin.delete_topics([topic.name])
        await asyncio.sleep(AWAY)
        await create_topics(admin, scene.topics)
        scene.created_again = CreatedAgain(topic.name, datetime.now(UTC))


FAULTS = (
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
