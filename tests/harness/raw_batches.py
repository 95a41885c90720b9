"""Record batches that no Python client would write, byte by byte as the broker takes them."""

import struct

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

_CRC_AT, _CRC_COVERS_FROM = 17, 21  # of a record batch, version 2


async def send_with_header_key(
    producer: AIOKafkaProducer, topic: str, partition: int, value: bytes, header_key: bytes
) -> None:
    """Send one message with a header whose key is no UTF-8 text; the producer must not be idempotent."""
    placeholder = "k" * len(header_key)
    batch = producer.create_batch()
    batch.append(key=None, value=value, timestamp=None, headers=[(placeholder, b"value")])
    written = bytes(batch._build())
    assert written.count(placeholder.encode()) == 1
    written = written.replace(placeholder.encode(), header_key)
    crc = struct.pack(">I", calc_crc32c(written[_CRC_COVERS_FROM:]))
    batch._buffer = bytearray(written[:_CRC_AT] + crc + written[_CRC_COVERS_FROM:])
    await (await producer.send_batch(batch, topic, partition=partition))
