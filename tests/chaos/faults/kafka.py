"""Kafka as a broker that goes away, and topics that are deleted, cut short, or get more partitions."""

import asyncio
from datetime import UTC, datetime
from random import Random

from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from chaos.absences import be_away
from chaos.fault import AWAY, TRIES, Fault
from chaos.operating import command, start_backfill, until_backfilled
from chaos.scene import CreatedAgain, Scene, administering
from harness.topics import committed_offsets, end_offsets, read_all
from harness.waiting import eventually
from llamalog_service.kafka.topics import TopicSpec, create_topics

_MORE = 3
"""Partitions."""


async def restart_kafka(scene: Scene, _: Random) -> None:
    await be_away(scene.kafka.stop, scene.kafka.start, AWAY)


async def kill_kafka(scene: Scene, _: Random) -> None:
    await be_away(scene.kafka.kill, scene.kafka.start, AWAY)


async def freeze_kafka(scene: Scene, _: Random) -> None:
    await be_away(scene.kafka.freeze, scene.kafka.thaw, 2 * AWAY)


async def add_partitions(scene: Scene, _: Random) -> None:
    """To every topic under load; what has the same key as before is in another partition from now on."""
    names, kafka = scene.topics, scene.settings.kafka
    grown = {
        spec.name: NewPartitions(spec.partitions + _MORE)
        for spec in (names.entity_events, names.provenance, names.backfill_commands)
    }
    async with administering(kafka) as admin:
        await admin.create_partitions(grown)

    async def are_used() -> bool:
        """the new partitions hold messages"""
        ends = await end_offsets(kafka, names.entity_events.name)
        return sum(1 for end in ends.values() if end) > names.entity_events.partitions

    await eventually(are_used, within=60)


async def delete_what_was_read(scene: Scene, dice: Random) -> None:
    """As retention does, up to what is recorded and committed, while consumers are killed."""
    topic, kafka = scene.topics.entity_events.name, scene.settings.kafka
    for _ in range(TRIES):
        committed = await committed_offsets(kafka, scene.settings.consumer_group, topic)
        recorded = await scene.recorded()
        done = {at: min(offset, recorded.get(at, 0)) for at, offset in committed.items()}
        scene.expired += [one for one in await read_all(kafka, topic) if one.offset < done[one.partition]]
        async with administering(kafka) as admin:
            await admin.delete_records(
                {TopicPartition(topic, at): RecordsToDelete(offset) for at, offset in done.items()}
            )
        dice.choice(scene.consumers).kill()
        await asyncio.sleep(dice.uniform(0.5, 1.0))


async def delete_what_was_not_read(scene: Scene, _: Random) -> None:
    """As retention does while every process is away too long; they must log what they could not read."""
    topic, kafka = scene.topics.entity_events.name, scene.settings.kafka
    scene.supervised = False
    for process in scene.processes:
        process.kill()
    await scene.until_published(0.6)
    recorded = await scene.recorded()
    gone = {at: (recorded.get(at, 0) + end) // 2 for at, end in (await end_offsets(kafka, topic)).items()}
    scene.expired += [
        one for one in await read_all(kafka, topic) if one.offset < recorded.get(one.partition, 0)
    ]
    async with administering(kafka) as admin:
        await admin.delete_records(
            {TopicPartition(topic, at): RecordsToDelete(offset) for at, offset in gone.items()}
        )
    lost = {
        f"{topic}/{at}": [recorded.get(at, 0), offset - 1]
        for at, offset in gone.items()
        if offset > recorded.get(at, 0)
    }
    for process in scene.processes:
        process.start()
    scene.supervised = True

    async def are_named() -> bool:
        """the messages that were lost are named"""
        lines = [line for consumer in scene.consumers for line in consumer.logged("messages lost unread")]
        named = {line["partition"]: line["offsets"] for line in lines}
        return named == lost

    await eventually(are_named, within=120)


async def make_up_for_lost_messages(scene: Scene) -> None:
    """What was recorded last was perhaps not verified and not published, and is read no more."""
    await until_backfilled(scene, await start_backfill(scene))
    await command(scene, "provenance", "republish")


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
    Fault("kafka-sigstop", f"SIGSTOP of the broker for {2 * AWAY:.0f} s", freeze_kafka),
    Fault("more-partitions", f"{_MORE} partitions more for the topics under load", add_partitions),
    Fault(
        "retention",
        f"what was recorded deleted from the topic {TRIES} times, a consumer killed each time",
        delete_what_was_read,
    ),
    Fault(
        "retention-unread",
        "half of what every process had missed deleted from the topic: its loss is named",
        delete_what_was_not_read,
        make_up_for_lost_messages,
    ),
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
