"""Producers that misbehave: transactions left open, everything published twice, wrong clocks, poison."""

import asyncio
from itertools import cycle
from random import Random
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from chaos.fault import AWAY, Fault
from chaos.load import bad_messages, loading_producer, some_events
from chaos.scene import Scene
from harness.topics import end_offsets, stable_offsets
from harness.waiting import eventually
from llamalog_tools.demo.messages import SampleMessage
from llamalog_tools.demo.publish import play

_AHEAD = 3000.0
"""Seconds: Kafka refuses what comes from more than an hour ahead."""
_A_DAY = 86_400.0
_POISONED = 300


async def leave_transactions_open(scene: Scene, _: Random) -> None:
    """In every partition, from now until the load is nearly published; then one is committed, one aborted."""
    scene.has_transactions = True
    kept, dropped = [await _in_transaction(scene, number) for number in range(2)]
    await scene.until_published(0.9)
    await kept.commit_transaction()
    await dropped.abort_transaction()
    for producer in (kept, dropped):
        await producer.stop()


async def die_in_a_transaction(scene: Scene, _: Random) -> None:
    """Kafka aborts what its producer never ends, once the time that it gave itself is over."""
    scene.has_transactions = True
    producer = await _in_transaction(scene, 0, transaction_timeout_ms=int(AWAY * 1000))
    await producer.stop()
    topic = scene.topics.entity_events.name

    async def is_aborted() -> bool:
        """no transaction is open"""
        ends = await end_offsets(scene.settings.kafka, topic)
        return await stable_offsets(scene.settings.kafka, topic) == ends

    await scene.until_published(1)
    await eventually(is_aborted, within=120)


async def publish_everything_again(scene: Scene, _: Random) -> None:
    await scene.load.again().publish_all()


async def set_clocks_wrong(scene: Scene, _: Random) -> None:
    scene.load.clocks = (0.0, _AHEAD, -_A_DAY, -_AHEAD)
    await scene.until_published(0.9)
    scene.load.clocks = (0.0,)


async def poison_in_an_outage(scene: Scene, dice: Random) -> None:
    scene.wire.freeze()
    scene.wire.sever()
    await _publish(scene, bad_messages(_POISONED, dice.randrange(2**16)))
    await asyncio.sleep(AWAY)
    scene.wire.thaw()


async def _in_transaction(scene: Scene, number: int, **options: int) -> AIOKafkaProducer:
    """A producer with messages to every partition, in a transaction that it does not end."""
    producer = loading_producer(scene.settings.kafka, transactional_id=f"chaos-{uuid4().hex}", **options)
    await producer.start()
    await producer.begin_transaction()
    topic = scene.topics.entity_events.name
    events = cycle(some_events(60, number))
    for partition in sorted(await producer.partitions_for(topic)):
        for event in [next(events) for _ in range(5)]:
            await producer.send_and_wait(
                topic, event.value, event.key, partition=partition, headers=event.headers
            )
    return producer


async def _publish(scene: Scene, messages: list[SampleMessage]) -> None:
    producer = loading_producer(scene.settings.kafka)
    await producer.start()
    try:
        await play(messages, producer, scene.topics.entity_events.name)
    finally:
        await producer.stop()


FAULTS = (
    Fault(
        "open-transactions",
        "transactions of two producers held open during the load, one committed, one aborted",
        leave_transactions_open,
    ),
    Fault(
        "dead-transaction",
        "a producer that dies in its transaction, which Kafka aborts",
        die_in_a_transaction,
    ),
    Fault(
        "duplicate-producers", "a second producer that publishes everything again", publish_everything_again
    ),
    Fault(
        "clocks",
        "producers' clocks by turns 50 min ahead, a day and 50 min behind",
        set_clocks_wrong,
    ),
    Fault(
        "poison",
        f"{_POISONED} bad messages while PostgreSQL does not answer for {AWAY:.0f} s",
        poison_in_an_outage,
    ),
)
