"""A producer that sends messages at a steady rate and notes when it sent each."""

import asyncio
import gc
import time
from array import array
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

import uvloop
from aiokafka import AIOKafkaProducer

from llamalog_tools.demo.messages import SampleMessage

_TICK: Final = 0.005
"""Seconds between two looks at what is due: messages leave in groups of a few dozen at most."""


class Sending(NamedTuple):
    """What is to be sent.

    Attributes:
        rate: messages a second.
    """

    bootstrap: str
    topic: str
    messages: list[SampleMessage]
    rate: float


class Sent(NamedTuple):
    """When each message was given to the producer, by the clock on the wall, in the order of the messages.

    Attributes:
        late: seconds by which the latest message left after it was due.
    """

    times: "array[float]"
    late: float


def send_steadily(sending: Sending, connection: Connection) -> None:
    """Wait for a word, send, and answer with a `Sent` when all messages are acknowledged."""
    gc.disable()
    connection.send(uvloop.run(_send(sending, connection)))
    connection.recv()


async def _send(sending: Sending, connection: Connection) -> Sent:
    times, late = array("d"), 0.0
    messages, topic, rate = sending.messages, sending.topic, sending.rate
    acknowledged: list[asyncio.Future[object]] = []
    producer = AIOKafkaProducer(bootstrap_servers=sending.bootstrap, acks="all", enable_idempotence=True)
    async with producer:
        await producer.partitions_for(topic)
        connection.send("ready")
        connection.recv()
        began = time.monotonic()
        while (sent := len(times)) < len(messages):
            due = min(len(messages), int((time.monotonic() - began) * rate))
            for message in messages[sent:due]:
                late = max(late, time.monotonic() - began - len(times) / rate)
                times.append(time.time())
                acknowledged.append(
                    await producer.send(topic, message.value, message.key, headers=message.headers)
                )
            await asyncio.sleep(_TICK)
        await asyncio.gather(*acknowledged)
    return Sent(times, late)
