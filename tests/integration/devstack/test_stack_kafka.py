"""The brokers of the local stack: what they keep, and what the embedded one cannot."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chaos.proxy import wired_to
from harness.waiting import TIMEOUT
from llamalog_tools.devstack import (
    ApacheKafka,
    ApacheKafkaCluster,
    ApacheKafkaUnavailableError,
    Broker,
    DataDirBusyError,
    EmbeddedKafka,
    ProcessEndedError,
    StackOptions,
)
from llamalog_tools.devstack.stack import choose_kafka

_TOPIC = "albums"


def _chosen(folder: Path, *, replicated: bool = False, proxied: bool = False) -> Broker:
    """An Apache Kafka, or the test is skipped."""
    given = StackOptions.from_environment()
    options = StackOptions(require_apache=True, cache=given.cache, replicated=replicated, proxied=proxied)
    try:
        return choose_kafka(folder, options)
    except ApacheKafkaUnavailableError as reason:
        if given.require_apache:
            raise
        pytest.skip(str(reason))


@pytest.fixture
def apache(tmp_path: Path) -> Iterator[ApacheKafka]:
    """A broker whose jars lie in a cache of its own."""
    chosen = _chosen(tmp_path)
    assert isinstance(chosen, ApacheKafka)
    jars = tmp_path / "cache" / chosen.jars.name
    jars.parent.mkdir()
    jars.symlink_to(chosen.jars)
    broker = ApacheKafka(tmp_path / "kafka", chosen.java, jars)
    broker.start()
    yield broker
    broker.kill()  # a stop writes the archive of its classes


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    broker = EmbeddedKafka(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def starts_from_archived_classes(broker: ApacheKafka) -> bool:
    return "-XX:SharedArchiveFile=" in Path(f"/proc/{broker.pid}/cmdline").read_text()


def crash(broker: ApacheKafka | EmbeddedKafka) -> None:
    os.kill(broker.pid, signal.SIGKILL)
    deadline = time.monotonic() + TIMEOUT
    while broker.is_running:
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def _create_topic(broker: Broker, copies: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(_TOPIC, num_partitions=4, replication_factor=copies)])
    finally:
        await admin.close()


async def _topics(broker: Broker) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def _produce(broker: Broker, count: int, *, idempotent: bool) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=idempotent, acks="all")
    await producer.start()
    try:
        for number in range(count):
            await producer.send_and_wait(_TOPIC, str(number).encode(), partition=number % 4)
    finally:
        await producer.stop()


async def _read_as_two(broker: Broker, count: int) -> tuple[set[bytes], set[bytes]]:
    """What each of two members of one group reads, once they have shared the partitions."""
    members = [
        AIOKafkaConsumer(
            _TOPIC,
            bootstrap_servers=broker.bootstrap,
            group_id="readers",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=2000,
            heartbeat_interval_ms=300,
        )
        for _ in range(2)
    ]
    got: tuple[set[bytes], set[bytes]] = (set(), set())
    try:
        for member in members:
            await member.start()
        async with asyncio.timeout(TIMEOUT):
            while any(len(member.assignment()) != 2 for member in members):
                for member in members:
                    await member.getmany(timeout_ms=50)
            for member in members:
                await member.seek_to_beginning()
            while len(got[0] | got[1]) < count:
                for member, values in zip(members, got, strict=True):
                    batches = await member.getmany(timeout_ms=100)
                    values.update(record.value for batch in batches.values() for record in batch)
        for member in members:
            await member.commit()
    finally:
        for member in members:
            await member.stop()
    return got


async def _read_alone(broker: Broker, count: int) -> set[bytes]:
    reader = AIOKafkaConsumer(_TOPIC, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await reader.start()
    try:
        async with asyncio.timeout(TIMEOUT):
            return {(await reader.getone()).value for _ in range(count)}
    finally:
        await reader.stop()


@pytest.mark.apache_kafka
async def test_topics_records_and_the_cluster_survive_a_restart_and_a_crash(apache: ApacheKafka) -> None:
    everything = {str(number).encode() for number in range(40)}
    await _create_topic(apache)
    await _produce(apache, 40, idempotent=True)
    first, second = await _read_as_two(apache, 40)
    assert first | second == everything
    assert first and second and not first & second

    address, cluster = apache.bootstrap, apache.cluster_id
    assert not starts_from_archived_classes(apache)
    apache.restart()
    assert starts_from_archived_classes(apache)
    assert (apache.bootstrap, apache.cluster_id) == (address, cluster)
    assert await _read_alone(apache, 40) == everything

    crash(apache)
    apache.restart_ended()
    assert (apache.bootstrap, apache.cluster_id) == (address, cluster)
    assert await _read_alone(apache, 40) == everything
    with pytest.raises(DataDirBusyError, match=f"process {apache.pid} "):
        ApacheKafka(apache.folder, apache.java, apache.jars).start()


async def test_a_second_broker_gets_the_format_of_the_first_and_a_cluster_of_its_own(
    apache: ApacheKafka, tmp_path: Path
) -> None:
    second = ApacheKafka(tmp_path / "second", apache.java, apache.jars)
    second.start()
    try:
        checkpoints = [(one.folder / "topics/bootstrap.checkpoint").read_bytes() for one in (apache, second)]
        assert checkpoints[0] == checkpoints[1]
        assert "Formatting" in apache.log.read_text()
        assert "Formatting" not in second.log.read_text()
        assert apache.cluster_id != second.cluster_id
        await _create_topic(second)
        await _produce(second, 4, idempotent=True)
        assert await _read_alone(second, 4) == {b"0", b"1", b"2", b"3"}
    finally:
        second.kill()


async def test_a_cluster_of_three_keeps_what_it_acknowledged_without_one_of_them(tmp_path: Path) -> None:
    cluster = _chosen(tmp_path, replicated=True)
    assert isinstance(cluster, ApacheKafkaCluster)
    cluster.start()
    try:
        await _create_topic(cluster, copies=3)
        await _produce(cluster, 20, idempotent=True)
        address, cluster_id = cluster.bootstrap, cluster.cluster_id
        cluster.nodes[0].kill()
        await _produce(cluster, 20, idempotent=True)
        assert await _read_alone(cluster, 40) == {str(number).encode() for number in range(20)}
        cluster.start()
        assert (cluster.bootstrap, cluster.cluster_id) == (address, cluster_id)
        assert all(node.is_running for node in cluster.nodes)
    finally:
        cluster.stop()


async def test_clients_of_a_second_listener_are_sent_to_the_proxy_that_it_advertises(tmp_path: Path) -> None:
    broker = _chosen(tmp_path, proxied=True)
    assert isinstance(broker, ApacheKafka)
    broker.start()
    try:
        async with wired_to("127.0.0.1", broker.port("proxied"), at=broker.port("proxy")) as wire:
            client = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{wire.port}")
            await client.start()
            nodes = (await client.describe_cluster())["brokers"]
            await client.close()
        assert [(node["host"], node["port"]) for node in nodes] == [("127.0.0.1", broker.port("proxy"))]
    finally:
        broker.stop()


async def test_the_embedded_broker_serves_a_group_of_two(embedded: EmbeddedKafka) -> None:
    await _create_topic(embedded)
    await _produce(embedded, 8, idempotent=False)
    first, second = await _read_as_two(embedded, 8)
    assert first | second == {str(number).encode() for number in range(8)}


async def test_the_embedded_broker_forgets_when_it_stops_and_prints_that_limit(
    embedded: EmbeddedKafka,
) -> None:
    await _create_topic(embedded)
    assert _TOPIC in await _topics(embedded)
    address, memory = embedded.bootstrap, embedded.cluster_id
    embedded.restart()
    assert embedded.bootstrap == address
    assert _TOPIC not in await _topics(embedded)
    assert embedded.cluster_id != memory
    assert not embedded.durable
    crash(embedded)
    with pytest.raises(ProcessEndedError, match="what it held in memory is gone with it"):
        embedded.restart_ended()
    assert embedded.limits is not None and "all is gone when it stops" in embedded.limits
