"""What a publisher leaves on its way after an error: nothing."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import MessageProducer

pytestmark = pytest.mark.timeout(10)

FAILED = MessageToSend(b"failed", b"1", [])
SLOW = MessageToSend(b"slow", b"2", [])


class _Batch:
    def __init__(self) -> None:
        self.keys: list[bytes | None] = []

    def append(self, *, key: bytes | None, **_: Any) -> bool:
        self.keys.append(key)
        return True

    def record_count(self) -> int:
        return len(self.keys)


class _Producer:
    """Fails one message at once, and acknowledges the other when it is let go."""

    def __init__(self) -> None:
        self.slow: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failed.set_exception(KafkaTimeoutError())

    async def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2}

    def create_batch(self) -> _Batch:
        return _Batch()

    async def send_batch(self, batch: _Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        return self.failed if batch.keys == [FAILED.key] else self.slow

    async def send(self, topic: str, value: Any, key: bytes | None, *, headers: Any) -> asyncio.Future[None]:
        return self.failed if key == FAILED.key else self.slow


@pytest.mark.parametrize("method", ["send", "send_batched"])
async def test_an_error_is_raised_once_every_other_message_is_acknowledged_or_given_up(method: str) -> None:
    producer: Any = _Producer()
    sending = asyncio.create_task(getattr(MessageProducer(producer), method)("topic", [FAILED, SLOW]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not sending.done()
    producer.slow.set_result(None)
    with pytest.raises(UnavailableError):
        await sending
