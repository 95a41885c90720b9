"""Events at a steady pace, sent by a process of its own.

`python -m bench_rebuild.load BOOTSTRAP TOPIC PARTITIONS A_SECOND SECONDS` makes all messages, prints that,
and sends them until there are none left or it is interrupted.
"""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer

from bench.installation import Installation
from bench_rebuild.topic import Message, events_of_day, message_of, send

_TESTS = Path(__file__).parents[1]
_SLICE = 0.05
_SEED = 4


@contextmanager
def steady_load(installation: Installation, a_second: float, seconds: float) -> Iterator[None]:
    """Another process sends so many events a second while the context lasts, for so many seconds at most."""
    topic = installation.topics.entity_events
    arguments = [installation.bootstrap, topic.name, str(topic.partitions), str(a_second), str(seconds)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench_rebuild.load", *arguments],
        cwd=_TESTS,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()  # it sends from now on
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


async def _send(bootstrap: str, topic: str, messages: list[Message], a_second: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5) as producer:
        print("sending", flush=True)
        began, sent = time.monotonic(), 0
        while sent < len(messages) and not stop.is_set():
            due = min(len(messages), int((time.monotonic() - began) * a_second))
            await send(producer, topic, messages[sent:due])
            sent = due
            await asyncio.sleep(_SLICE)


if __name__ == "__main__":
    _bootstrap, _topic, _partitions, _rate, _seconds = sys.argv[1:]
    _events = events_of_day(int(float(_rate) * float(_seconds)), _SEED)
    _all = [message_of(event, int(_partitions)) for event in _events]
    asyncio.run(_send(_bootstrap, _topic, _all, float(_rate)))
