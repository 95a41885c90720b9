"""Producers choose how their batches are compressed: each way is read."""

import pytest
from aiokafka import AIOKafkaProducer

from harness.topics import read_all
from histories import event
from llamalog_schemas import encode
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_batch_compressed_by_any_codec_of_kafka_is_read(settings: Settings, codec: str) -> None:
    topic = f"{settings.topic_prefix}entity-events"
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka, compression_type=codec) as producer:
        await producer.send_and_wait(topic, encode(event(1, "job")))
    [record] = await read_all(settings.kafka, topic)
    assert record.value == encode(event(1, "job"))
