"""Faults that no broker or database can be made to show: planted in a process of ours, then it is started.

Run as `python -m harness.sabotage "<fault>" consumer`.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator

from llamalog_service.cli import app
from llamalog_service.ingest.ingest import Ingest
from llamalog_service.kafka.dead_letters import DeadLetterReader


async def _for_ever(*_: Any, **__: Any) -> Any:
    await asyncio.Event().wait()


def a_step_that_never_ends() -> None:
    Ingest.record = _for_ever  # type: ignore[method-assign]


def an_event_loop_that_is_stuck() -> None:
    Ingest.prepare = lambda *_: time.sleep(600)  # type: ignore[method-assign, assignment]


def a_client_that_polls_no_more() -> None:
    AIOKafkaConsumer.getmany = _for_ever


def a_group_that_is_never_joined() -> None:
    GroupCoordinator.ensure_active_group = _for_ever


def a_producer_out_of_sequence() -> None:
    send_batch = AIOKafkaProducer.send_batch

    async def after_a_gap(self: Any, batch: Any, topic: str, *, partition: int) -> Any:
        self._txn_manager.increment_sequence_number(TopicPartition(topic, partition), 5)
        return await send_batch(self, batch, topic, partition=partition)

    AIOKafkaProducer.send_batch = after_a_gap


def a_replay_that_waits_after_its_first_fetch() -> None:
    read = DeadLetterReader.read

    async def fetch_once(*arguments: Any) -> AsyncGenerator[Any]:
        async for fetched in read(*arguments):
            yield fetched
            await asyncio.Event().wait()

    DeadLetterReader.read = fetch_once  # type: ignore[method-assign, assignment]


_FAULTS: list[Callable[[], None]] = [
    a_step_that_never_ends,
    an_event_loop_that_is_stuck,
    a_client_that_polls_no_more,
    a_group_that_is_never_joined,
    a_producer_out_of_sequence,
    a_replay_that_waits_after_its_first_fetch,
]

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    {known.__name__.replace("_", " "): known for known in _FAULTS}[fault]()
    app()
