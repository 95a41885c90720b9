"""Events are published from threads, from other loops, and after a loop has ended."""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from llamalog_schemas.events import EntityEvent
from llamalog_schemas.producer import (
    Attempt,
    DeliveryStats,
    InMemoryTransport,
    Job,
    Limits,
    LlamaLogger,
    Loss,
    LossReason,
    OutgoingMessage,
    current_job,
)


class PromptKafka:
    """A transport that acknowledges at once (or never), in the loop in which it was made."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.home = asyncio.get_running_loop()
        self.taken: list[OutgoingMessage] = []

    async def send(self, message: OutgoingMessage) -> Awaitable[object]:
        assert asyncio.get_running_loop() is self.home
        self.taken.append(message)
        acknowledged = self.home.create_future()
        if self.answers:
            acknowledged.set_result(None)
        return acknowledged

    def is_retriable(self, error: Exception) -> bool:
        return False


def publish_nowait(log: LlamaLogger) -> None:
    log.publish_nowait(log.events.created("ALBUM", uuid4(), operation="album:created"))


async def say(log: LlamaLogger) -> None:
    await log.created("ALBUM", uuid4(), operation="album:created")


async def test_threads_publish_events_that_the_loop_of_the_logger_delivers() -> None:
    kafka = PromptKafka()
    log = LlamaLogger(kafka, source="/x")

    def work() -> None:
        for _ in range(50):
            publish_nowait(log)
        asyncio.run(say(log))

    await asyncio.gather(*[asyncio.to_thread(work) for _ in range(8)])
    stats = await log.close(5)
    assert stats == DeliveryStats(published=8 * 51, delivered=8 * 51)
    assert len({message.value for message in kafka.taken}) == 8 * 51


async def test_a_logger_may_be_closed_from_another_thread() -> None:
    log = LlamaLogger(PromptKafka(), source="/x")
    await say(log)
    assert (await asyncio.to_thread(asyncio.run, log.close(5))).everything_delivered
    await say(log)
    assert log.stats.closed == 1


async def test_what_finds_no_room_is_given_up_in_a_thread() -> None:
    log = LlamaLogger(PromptKafka(answers=False), source="/x", limits=Limits(events=1))

    def work() -> None:
        for _ in range(3):
            publish_nowait(log)

    await asyncio.to_thread(work)
    stats = await log.close(0.05)
    assert stats == DeliveryStats(published=3, dropped=2, closed=1)


async def test_the_failure_of_a_body_in_a_thread_is_published_and_its_exception_propagates() -> None:
    kafka = PromptKafka()
    log = LlamaLogger(kafka, source="/x")

    def work() -> None:
        with log.job("a", attempt=Attempt(entity_type="ALBUM", operation="album:created")):
            raise ValueError("no such album")

    with pytest.raises(ValueError, match="no such album"):
        await asyncio.to_thread(work)
    assert (await log.close(5)).everything_delivered
    assert b"ALBUM_CREATION_FAILED" in kafka.taken[0].value


def test_without_any_loop_an_event_is_lost_and_reported() -> None:
    losses: list[Loss] = []

    class NeverUsed:
        async def send(self, message: OutgoingMessage) -> Awaitable[object]:
            raise AssertionError

        def is_retriable(self, error: Exception) -> bool:
            raise AssertionError

    log = LlamaLogger(NeverUsed(), source="/x", on_loss=losses.append)
    publish_nowait(log)
    assert [(loss.reason, "no event loop" in str(loss.error)) for loss in losses] == [
        (LossReason.NOT_DELIVERED, True)
    ]


def test_after_its_loop_has_ended_events_are_lost_and_reported() -> None:
    async def make() -> LlamaLogger:
        log = LlamaLogger(PromptKafka(), source="/x")
        await say(log)
        return log

    log = asyncio.run(make())
    publish_nowait(log)
    asyncio.run(say(log))
    stats = asyncio.run(log.close(5))
    assert stats.published == stats.lost == 3
    assert (stats.not_delivered, stats.closed) == (2, 1)


@pytest.fixture
def memory() -> InMemoryTransport:
    return InMemoryTransport()


@pytest.fixture
def log(memory: InMemoryTransport) -> LlamaLogger:
    return LlamaLogger(memory, source="/catalogue", strict=True)


def chain(memory: InMemoryTransport) -> list[tuple[str | None, str | None]]:
    events = [event for event in memory.events if isinstance(event, EntityEvent)]
    return [(event.data.job_id, event.data.parent_job_id) for event in events]


async def test_a_thread_of_asyncio_is_in_the_job_that_started_it(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    def work() -> None:
        with log.job("child"):
            publish_nowait(log)

    with log.job("root"):
        await asyncio.to_thread(work)
    assert chain(memory) == [("child", "root")]


def test_other_threads_get_the_job_or_the_context(memory: InMemoryTransport, log: LlamaLogger) -> None:
    def in_the_job(job: Job) -> None:
        with log.job("a", parent=job):
            publish_nowait(log)

    def in_the_context() -> None:
        with log.job("b"):
            publish_nowait(log)

    with log.job("root") as job, ThreadPoolExecutor() as threads:
        threads.submit(in_the_job, job).result()
        threads.submit(contextvars.copy_context().run, in_the_context).result()
        assert threads.submit(current_job).result() is None
    assert chain(memory) == [("a", "root"), ("b", "root")]


def test_a_block_may_end_in_another_context_than_it_began_in(log: LlamaLogger) -> None:
    """As the fixtures and dependencies of frameworks do."""
    scope = log.job("root")
    contextvars.copy_context().run(scope.__enter__)
    scope.__exit__(None, None, None)
    thread = threading.Thread(target=log.job("other").__enter__)
    thread.start()
    thread.join()
    assert current_job() is None
