"""A forked child has neither the loop nor the client of its parent: its events are lost, and reported."""

import asyncio
import gc
import json
import logging
import os
import select
import signal
import threading
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest

from llamalog_schemas.producer import (
    AiokafkaTransport,
    InMemoryTransport,
    Limits,
    LlamaLogger,
    Loss,
    LossReason,
    OutgoingMessage,
)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


class SilentKafka:
    """Accepts messages and acknowledges none."""

    def __init__(self) -> None:
        self.taken: list[OutgoingMessage] = []

    async def send(self, message: OutgoingMessage) -> Awaitable[object]:
        self.taken.append(message)
        return asyncio.get_running_loop().create_future()

    def is_retriable(self, error: Exception) -> bool:
        return False


def publish_nowait(log: LlamaLogger) -> None:
    log.publish_nowait(log.events.created("ALBUM", uuid4(), operation="album:created"))


def in_child(work: Callable[[], Any], within: float = 20.0) -> Any:
    """What the function returns in a forked child; fails if that does not end in time."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(round(within) + 10)  # outlives its parent by little, wherever it hangs
        answer: Any = {"failed": "no answer"}
        try:
            answer = work()
        except BaseException as error:
            answer = {"failed": repr(error)}
        finally:
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
    os.close(writing)
    try:
        answered, _, _ = select.select([reading], [], [], within)
        assert answered, "the child hangs"
        return json.loads(os.read(reading, 65536))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)


def counts(log: LlamaLogger) -> dict[str, int]:
    stats = log.stats
    return {
        "published": stats.published,
        "delivered": stats.delivered,
        "not_delivered": stats.not_delivered,
        "pending": stats.pending,
    }


async def used_logger(losses: list[Loss]) -> tuple[LlamaLogger, SilentKafka]:
    kafka = SilentKafka()
    log = LlamaLogger(kafka, source="/x", on_loss=losses.append)
    for _ in range(3):
        await log.created("ALBUM", uuid4(), operation="album:created")
    async with asyncio.timeout(10):
        while len(kafka.taken) < 3:  # noqa: ASYNC110 - the sender needs a few turns of the loop
            await asyncio.sleep(0)
    return log, kafka


async def test_a_child_counts_its_own_events_as_lost_and_reports_why() -> None:
    losses: list[Loss] = []
    log, kafka = await used_logger(losses)

    def work() -> Any:
        publish_nowait(log)
        asyncio.run(log.created("ALBUM", uuid4(), operation="album:created"))
        return {
            **counts(log),
            "reasons": [loss.reason for loss in losses],
            "errors": [str(loss.error) for loss in losses],
        }

    outcome = in_child(work)
    assert outcome["reasons"] == [LossReason.NOT_DELIVERED] * 2
    assert (outcome["published"], outcome["not_delivered"], outcome["pending"]) == (2, 2, 0)
    assert f"process {os.getpid()}" in outcome["errors"][0]
    assert "make a logger and a Kafka client" in outcome["errors"][0]
    assert (log.stats.published, log.stats.pending, len(kafka.taken)) == (3, 3, 3)
    await log.close(0)


@pytest.mark.parametrize("timeout", [1, None])
async def test_flushing_and_closing_in_a_child_return(timeout: float | None) -> None:
    log, _ = await used_logger([])

    def work() -> Any:
        async def end() -> None:
            await log.flush(timeout)
            await log.close(timeout)

        began = monotonic()
        asyncio.run(end())
        return {"seconds": monotonic() - began, **counts(log)}

    outcome = in_child(work)
    assert outcome["seconds"] < 5
    assert (outcome["published"], outcome["pending"]) == (0, 0)
    assert log.stats.pending == 3
    await log.close(0)


async def test_a_child_of_a_child_names_the_process_of_the_logger() -> None:
    losses: list[Loss] = []
    log, _ = await used_logger(losses)

    def work() -> Any:
        publish_nowait(log)
        return [str(loss.error) for loss in losses]

    (error,) = in_child(lambda: in_child(work))
    assert f"belongs to process {os.getpid()}" in error
    await log.close(0)


async def test_a_child_does_not_report_the_events_of_its_parent(caplog: pytest.LogCaptureFixture) -> None:
    log, _ = await used_logger([])
    caplog.clear()

    def work() -> Any:
        log._delivery.__del__()  # type: ignore[attr-defined]
        gc.collect()
        return [record.getMessage() for record in caplog.records if "lost" in record.getMessage()]

    assert in_child(work) == []
    await log.close(0)


def test_a_fork_while_another_thread_publishes_leaves_no_lock_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forks many times, so that some fall into the moment in which a lock is held.

    Nothing is logged: Python's own lock of a log file is one that a child can't get.
    """
    monkeypatch.setattr(logging.getLogger("llamalog_schemas.producer"), "disabled", True)
    stop = threading.Event()
    memory = LlamaLogger(InMemoryTransport(), source="/x", on_loss=lambda loss: None)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def make() -> LlamaLogger:
        return LlamaLogger(SilentKafka(), source="/x", limits=Limits(events=10, when_full="drop"))

    buffered = asyncio.run_coroutine_threadsafe(make(), loop).result(5)

    def publish_on() -> None:
        event = memory.events.created("ALBUM", uuid4(), operation="album:created")
        while not stop.is_set():
            memory.publish_nowait(event)
            buffered.publish_nowait(event)

    busy = threading.Thread(target=publish_on)
    busy.start()
    try:
        for _ in range(30):

            def work() -> Any:
                publish_nowait(memory)
                publish_nowait(buffered)
                return [memory.stats.published, buffered.stats.published]

            assert in_child(work) == [1, 1]
    finally:
        stop.set()
        busy.join()
        asyncio.run_coroutine_threadsafe(buffered.close(0), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)


def test_a_logger_that_the_parent_never_used_works_in_the_child() -> None:
    """As with servers that load an application, then fork: the child starts the client."""

    class PromptKafka(SilentKafka):
        async def send(self, message: OutgoingMessage) -> Awaitable[object]:
            acknowledged = asyncio.get_running_loop().create_future()
            acknowledged.set_result(None)
            return acknowledged

    log = LlamaLogger(PromptKafka(), source="/x")

    def work() -> Any:
        async def main() -> None:
            await log.created("ALBUM", uuid4(), operation="album:created")
            await log.close(5)

        asyncio.run(main())
        return counts(log)

    assert in_child(work) == {"published": 1, "delivered": 1, "not_delivered": 0, "pending": 0}


def test_a_client_of_the_parent_is_not_used_by_a_logger_of_the_child() -> None:
    """Two processes that write to one connection would break both."""

    class Client:
        async def send(self, *message: Any, **more: Any) -> Awaitable[object]:
            raise AssertionError("the parent's connection was used")

    transport = AiokafkaTransport(Client())

    def work() -> Any:
        losses: list[Loss] = []

        async def main() -> None:
            log = LlamaLogger(transport, source="/x", on_loss=losses.append)
            await log.created("ALBUM", uuid4(), operation="album:created")
            await log.close(5)

        asyncio.run(main())
        return [str(loss.error) for loss in losses]

    (error,) = in_child(work)
    assert f"process {os.getpid()}" in error
