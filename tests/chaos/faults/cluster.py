"""Brokers of three that are killed, frozen and restarted; leaders and coordinators that move."""

import asyncio
from random import Random

from aiokafka.admin import AIOKafkaAdminClient

from chaos.fault import AWAY, Fault
from chaos.scene import Scene, administering
from chaos.servers import Servers
from harness.waiting import eventually
from llamalog_service.kafka.reader import existing_topics
from llamalog_tools.devstack import ClusterNode


async def kill_a_broker(scene: Scene, dice: Random) -> None:
    await _kill_for_a_while(scene, [dice.choice(scene.cluster.nodes)])


async def kill_two_brokers(scene: Scene, dice: Random) -> None:
    """One alone acknowledges nothing, and elects no leader."""
    await _kill_for_a_while(scene, dice.sample(scene.cluster.nodes, 2))


async def kill_the_coordinator(scene: Scene, _: Random) -> None:
    async with administering(scene.settings.kafka) as admin:
        number = await admin.find_coordinator(scene.settings.consumer_group)
    await _kill_for_a_while(scene, [_node(scene, number)])


async def move_the_leader_away_and_back(scene: Scene, _: Random) -> None:
    """The leader of a partition ends in good order; started again, it is elected again."""
    async with administering(scene.settings.kafka) as admin:
        leader = await _leader(scene, admin)
    await asyncio.to_thread(_node(scene, leader).stop)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(_node(scene, leader).start)
    async with administering(scene.settings.kafka) as admin:

        async def leads_again() -> bool:
            """the partition is led by the same broker as before"""
            return await _leader(scene, admin) == leader

        await eventually(leads_again, within=120)


async def freeze_the_leader(scene: Scene, _: Random) -> None:
    """The others elect another; thawed, it is a leader of the past."""
    async with administering(scene.settings.kafka) as admin:
        node = _node(scene, await _leader(scene, admin))
    await asyncio.to_thread(node.freeze)
    await asyncio.sleep(2 * AWAY)
    await asyncio.to_thread(node.thaw)


async def restart_one_after_the_other(scene: Scene, _: Random) -> None:
    """As an upgrade does, each once the one before is in sync again."""
    for node in scene.cluster.nodes:
        await asyncio.to_thread(node.stop)
        await asyncio.to_thread(node.start)
        async with administering(scene.settings.kafka) as admin:

            async def are_in_sync(admin: AIOKafkaAdminClient = admin) -> bool:
                """every copy is in sync"""
                topics = await existing_topics(admin)
                partitions = [partition for topic in scene.topics for partition in topics[topic.name]]
                return all(len(one["isr"]) == len(one["replicas"]) for one in partitions)

            await eventually(are_in_sync, within=120)


async def _kill_for_a_while(scene: Scene, nodes: list[ClusterNode]) -> None:
    for node in nodes:
        await asyncio.to_thread(node.kill)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(scene.cluster.start)


async def _leader(scene: Scene, admin: AIOKafkaAdminClient) -> int:
    partitions = (await existing_topics(admin))[scene.topics.entity_events.name]
    leader: int = next(one["leader"] for one in partitions if one["partition"] == 0)
    return leader


def _node(scene: Scene, number: int) -> ClusterNode:
    return next(node for node in scene.cluster.nodes if node.number == number)


FAULTS = (
    Fault(
        "broker-killed",
        f"one of three brokers killed, started after {AWAY:.0f} s",
        kill_a_broker,
        servers=Servers.THREE_BROKERS,
    ),
    Fault(
        "two-brokers-killed",
        f"two of three brokers killed, started after {AWAY:.0f} s",
        kill_two_brokers,
        servers=Servers.THREE_BROKERS,
    ),
    Fault(
        "coordinator-killed",
        f"the group's coordinator of three brokers killed, started after {AWAY:.0f} s",
        kill_the_coordinator,
        servers=Servers.THREE_BROKERS,
    ),
    Fault(
        "leader-away",
        f"a partition's leader of three brokers shut down, started after {AWAY:.0f} s, elected again",
        move_the_leader_away_and_back,
        servers=Servers.THREE_BROKERS,
    ),
    Fault(
        "leader-sigstop",
        f"SIGSTOP of a partition's leader of three brokers for {2 * AWAY:.0f} s",
        freeze_the_leader,
        servers=Servers.THREE_BROKERS,
    ),
    Fault(
        "rolling-restart",
        "three brokers restarted one after the other",
        restart_one_after_the_other,
        servers=Servers.THREE_BROKERS,
    ),
)
