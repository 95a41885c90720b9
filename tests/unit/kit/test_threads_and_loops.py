"""Events are published from threads, from other loops, and after a loop has ended."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Iterator
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


async def publish(log: LlamaLogger) -> None:
    await log.created("ALBUM", uuid4(), operation="album:created")


async def test_threads_publish_events_that_the_loop_of_the_logger_delivers() -> None:
    kafka = PromptKafka()
    log = LlamaLogger(kafka, source="/x")

    def work() -> None:
        for _ in range(50):
            publish_nowait(log)
        asyncio.run(publish(log))

    await asyncio.gather(*[asyncio.to_thread(work) for _ in range(8)])
    stats = await log.close(5)
    assert stats == DeliveryStats(published=8 * 51, delivered=8 * 51)
    assert len({message.value for message in kafka.taken}) == 8 * 51


async def test_a_logger_may_be_closed_from_another_thread() -> None:
    log = LlamaLogger(PromptKafka(), source="/x")
    await publish(log)
    assert (await asyncio.to_thread(asyncio.run, log.close(5))).everything_delivered
    await publish(log)
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
        await publish(log)
        return log

    log = asyncio.run(make())
    publish_nowait(log)
    asyncio.run(publish(log))
    stats = asyncio.run(log.close(5))
    assert stats.published == stats.lost == 3
    assert (stats.not_delivered, stats.closed) == (2, 1)


@pytest.fixture
def still_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that stands still unless a test runs it."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


async def make_logger(events: int, losses: list[Loss]) -> LlamaLogger:
    return LlamaLogger(PromptKafka(), source="/x", limits=Limits(events=events), on_loss=losses.append)


def test_events_published_while_the_loop_stands_still_are_counted_and_delivered_when_it_goes_on(
    still_loop: asyncio.AbstractEventLoop,
) -> None:
    log = still_loop.run_until_complete(make_logger(10, []))
    for _ in range(3):
        publish_nowait(log)
    assert (log.stats.published, log.stats.pending) == (3, 3)
    assert still_loop.run_until_complete(log.close(5)).everything_delivered


def test_events_published_while_the_loop_stands_still_are_lost_and_reported_if_it_never_goes_on(
    still_loop: asyncio.AbstractEventLoop,
) -> None:
    losses: list[Loss] = []
    log = still_loop.run_until_complete(make_logger(10, losses))
    for _ in range(2):
        publish_nowait(log)
    asyncio.run(publish(log))
    stats = asyncio.run(log.close(5))
    assert stats == DeliveryStats(published=3, closed=3)
    assert len({loss.message.value for loss in losses if loss.message}) == 3


def test_the_buffer_is_bounded_while_the_loop_stands_still(
    still_loop: asyncio.AbstractEventLoop,
) -> None:
    losses: list[Loss] = []
    log = still_loop.run_until_complete(make_logger(2, losses))
    for _ in range(5):
        publish_nowait(log)
    assert [loss.reason for loss in losses] == [LossReason.DROPPED] * 3
    assert still_loop.run_until_complete(log.close(5)) == DeliveryStats(published=5, delivered=2, dropped=3)


async def test_closing_from_another_thread_is_bounded_while_the_loop_is_blocked() -> None:
    log = LlamaLogger(PromptKafka(), source="/x")
    publish_nowait(log)
    ended: list[tuple[DeliveryStats, float]] = []

    def close() -> None:
        began = time.monotonic()
        stats = asyncio.run(log.close(0.5))
        ended.append((stats, time.monotonic() - began))

    thread = threading.Thread(target=close)
    thread.start()
    thread.join(20)  # blocks the loop, as a careless service does
    ((stats, seconds),) = ended
    assert stats == DeliveryStats(published=1, closed=1)
    assert seconds < 10
    await asyncio.sleep(0.1)
    assert log.stats == stats


def test_flushing_from_another_thread_ends_with_the_loop() -> None:
    loop = asyncio.new_event_loop()

    async def make() -> LlamaLogger:
        log = LlamaLogger(PromptKafka(answers=False), source="/x")
        await publish(log)
        return log

    runner = threading.Thread(target=loop.run_forever)
    runner.start()
    log = asyncio.run_coroutine_threadsafe(make(), loop).result(5)
    flushed: list[DeliveryStats] = []
    flushing = threading.Thread(target=lambda: flushed.append(asyncio.run(log.flush(None))))
    flushing.start()
    loop.call_soon_threadsafe(loop.stop)
    runner.join(5)
    flushing.join(20)
    assert flushed == [DeliveryStats(published=1)]
    assert asyncio.run(log.close(None)) == DeliveryStats(published=1, closed=1)
    loop.close()


async def test_callers_that_wait_for_room_are_counted_by_a_close_from_another_thread() -> None:
    losses: list[Loss] = []
    log = LlamaLogger(PromptKafka(answers=False), source="/x", limits=Limits(events=1), on_loss=losses.append)
    callers = [asyncio.create_task(publish(log)) for _ in range(4)]
    await asyncio.sleep(0.02)
    stats = await asyncio.to_thread(asyncio.run, log.close(0.1))
    await asyncio.wait_for(asyncio.gather(*callers), 5)
    assert stats == log.stats == DeliveryStats(published=4, closed=4)
    assert len(losses) == 4


async def test_counts_add_up_while_threads_publish_and_the_logger_is_closed() -> None:
    losses: list[Loss] = []
    log = LlamaLogger(PromptKafka(), source="/x", limits=Limits(events=20), on_loss=losses.append)

    def work() -> None:
        for _ in range(200):
            publish_nowait(log)

    working = [asyncio.create_task(asyncio.to_thread(work)) for _ in range(4)]
    working += [asyncio.create_task(publish(log)) for _ in range(50)]
    await asyncio.sleep(0.01)
    await log.close(0.01)
    await asyncio.gather(*working)
    stats = log.stats
    assert (stats.published, stats.pending) == (850, 0)
    assert stats.lost == len(losses)


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
