"""Events at a steady pace, sent by a process of its own.

`python -m bench_queries.load BOOTSTRAP TOPIC A_SECOND SECONDS` makes all messages first, prints so, and sends
them until there are none left or it is interrupted.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import AIOKafkaProducer

from bench.backlog import BAD, DUPLICATES, LATE_PARENTS
from bench.beside import working_beside
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.messages import SampleMessage
from llamalog_tools.demo.publish import play

_AN_ALBUM = 30
_SLICE = 0.1
_SEED = 2


@contextmanager
def steady_load(bootstrap: str, topic: str, a_second: float, seconds: float) -> Iterator[None]:
    """Another process sends so many messages a second while the context lasts."""
    with working_beside("bench_queries.load", bootstrap, topic, str(a_second), str(seconds)):
        yield


def _messages(count: int) -> list[SampleMessage]:
    events = generate_day(1 + count // _AN_ALBUM, seed=_SEED)
    messages = disordered(list(events), late=LATE_PARENTS, duplicates=DUPLICATES, bad=BAD, seed=_SEED)
    return list(messages)[:count]


async def _send(bootstrap: str, topic: str, messages: list[SampleMessage], a_second: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    await producer.start()
    try:
        print("sending", flush=True)
        began, sent = time.monotonic(), 0
        while sent < len(messages) and not stop.is_set():
            due = min(len(messages), int((time.monotonic() - began + _SLICE) * a_second))
            await play(messages[sent:due], producer, topic)
            sent = max(sent, due)
            await asyncio.sleep(_SLICE)
    finally:
        await producer.stop()


if __name__ == "__main__":
    _bootstrap, _topic, _rate, _seconds = sys.argv[1:]
    _all = _messages(int(float(_rate) * float(_seconds)))
    asyncio.run(_send(_bootstrap, _topic, _all, float(_rate)))
