"""Every published event is delivered, or counted and passed to the callback, in any state of Kafka."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from faststream.kafka import KafkaBroker

from harness.waiting import TIMEOUT
from llamalog_schemas.producer import (
    AiokafkaTransport,
    FastStreamTransport,
    Limits,
    LlamaLogger,
    Loss,
    LossReason,
    OutgoingMessage,
)
from llamalog_schemas.producer.job import current_job


class Away(Exception):
    """Kafka may be back later."""


class Refused(Exception):
    """Kafka will never take it."""


class ScriptedKafka:
    """A transport that acknowledges on demand of the test."""

    def __init__(self) -> None:
        self.sent: list[tuple[OutgoingMessage, asyncio.Future[object]]] = []
        self.arrived = asyncio.Event()

    async def send(self, message: OutgoingMessage) -> Awaitable[object]:
        assert current_job() is None
        acknowledged = asyncio.get_running_loop().create_future()
        self.sent.append((message, acknowledged))
        self.arrived.set()
        return acknowledged

    def is_retriable(self, error: Exception) -> bool:
        return isinstance(error, Away)

    async def has(self, number: int) -> None:
        """Wait for so many messages."""
        async with asyncio.timeout(TIMEOUT):
            while len(self.sent) < number:
                self.arrived.clear()
                await self.arrived.wait()

    def acknowledge(self) -> None:
        """Acknowledge every message that was sent and not answered."""
        for _, acknowledged in self.sent:
            if not acknowledged.done():
                acknowledged.set_result(None)


@pytest.fixture
def kafka() -> ScriptedKafka:
    return ScriptedKafka()


@pytest.fixture
def losses() -> list[Loss]:
    return []


@pytest.fixture
def logger(kafka: ScriptedKafka, losses: list[Loss]) -> Callable[..., LlamaLogger]:
    def make(**limits: object) -> LlamaLogger:
        return LlamaLogger(kafka, source="/x", limits=Limits(**limits), on_loss=losses.append)  # type: ignore[arg-type]

    return make


Make = Callable[..., LlamaLogger]


async def publish(log: LlamaLogger, number: int = 1) -> None:
    for _ in range(number):
        await log.created("ALBUM", uuid4(), operation="album:created")


async def test_publishing_does_not_wait_for_kafka(logger: Make, kafka: ScriptedKafka) -> None:
    log = logger()
    with log.job("root"):
        await publish(log, 3)
    await kafka.has(3)
    assert (log.stats.pending, log.stats.delivered) == (3, 0)
    kafka.acknowledge()
    stats = await log.close(TIMEOUT)
    assert stats.everything_delivered
    assert stats.delivered == 3


async def test_a_full_buffer_holds_the_caller_back_until_there_is_room(
    logger: Make, kafka: ScriptedKafka, losses: list[Loss]
) -> None:
    log = logger(events=2)
    await publish(log, 2)
    third = asyncio.create_task(publish(log))
    await kafka.has(2)
    await asyncio.sleep(0.02)
    assert not third.done()
    kafka.acknowledge()
    await asyncio.wait_for(third, TIMEOUT)
    await kafka.has(3)
    kafka.acknowledge()
    assert (await log.close(TIMEOUT)).everything_delivered
    assert not losses


async def test_a_full_buffer_drops_if_configured_and_counts_dropped_events(
    logger: Make, kafka: ScriptedKafka, losses: list[Loss]
) -> None:
    log = logger(events=2, when_full="drop")
    await asyncio.wait_for(publish(log, 5), TIMEOUT)
    assert [loss.reason for loss in losses] == [LossReason.DROPPED] * 3
    await kafka.has(2)
    kafka.acknowledge()
    stats = await log.close(TIMEOUT)
    assert (stats.published, stats.delivered, stats.dropped) == (5, 2, 3)


async def test_the_buffer_is_bounded_by_bytes_too(logger: Make, losses: list[Loss]) -> None:
    log = logger(value_bytes=1000, when_full="drop")
    await publish(log, 50)
    assert 1 <= log.stats.pending <= 3
    assert len(losses) == 50 - log.stats.pending
    await log.close(0)


async def test_a_caller_is_not_held_back_for_ever(logger: Make, losses: list[Loss]) -> None:
    log = logger(events=1, timeout=0.05)
    await asyncio.wait_for(publish(log, 2), TIMEOUT)
    assert [loss.reason for loss in losses] == [LossReason.DROPPED]
    await log.close(0)


async def test_an_event_whose_caller_is_cancelled_while_it_waits_is_accounted_for(logger: Make) -> None:
    log = logger(events=1)
    await publish(log)
    waiting = asyncio.create_task(publish(log))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (log.stats.published, log.stats.dropped) == (2, 1)
    await log.close(0)


async def test_what_kafka_takes_later_is_sent_again(logger: Make, kafka: ScriptedKafka) -> None:
    log = logger()
    await publish(log)
    for attempt in range(1, 3):
        await kafka.has(attempt)
        kafka.sent[-1][1].set_exception(Away())
    await kafka.has(3)
    kafka.acknowledge()
    assert (await log.close(TIMEOUT)).everything_delivered
    assert len({message.value for message, _ in kafka.sent}) == 1


async def test_an_event_that_kafka_refuses_is_reported_with_its_bytes(
    logger: Make, kafka: ScriptedKafka, losses: list[Loss]
) -> None:
    log = logger()
    await publish(log, 2)
    await kafka.has(2)
    kafka.sent[0][1].set_exception(Refused("too large"))
    kafka.acknowledge()
    stats = await log.close(TIMEOUT)
    assert (stats.delivered, stats.not_delivered) == (1, 1)
    (loss,) = losses
    assert loss.message == kafka.sent[0][0]
    assert isinstance(loss.error, Refused)


async def test_kafka_is_not_tried_for_ever(logger: Make, kafka: ScriptedKafka, losses: list[Loss]) -> None:
    log = logger(keep_trying=0.0)
    await publish(log)
    await kafka.has(1)
    kafka.sent[0][1].set_exception(Away())
    assert (await log.close(TIMEOUT)).not_delivered == 1
    assert len(kafka.sent) == 1


async def test_closing_reports_events_not_acknowledged_in_time(
    logger: Make, kafka: ScriptedKafka, losses: list[Loss]
) -> None:
    log = logger()
    await publish(log, 3)
    await kafka.has(3)
    kafka.sent[0][1].set_result(None)
    stats = await asyncio.wait_for(log.close(0.05), TIMEOUT)
    assert not stats.everything_delivered
    assert (stats.delivered, stats.closed, stats.pending) == (1, 2, 0)
    assert {loss.reason for loss in losses} == {LossReason.CLOSED}
    kafka.acknowledge()
    await asyncio.sleep(0)
    assert log.stats == stats


async def test_flushing_waits_and_goes_on(logger: Make, kafka: ScriptedKafka) -> None:
    log = logger()
    await publish(log)
    assert (await log.flush(0.01)).pending == 1
    kafka.acknowledge()
    assert (await log.flush(TIMEOUT)).pending == 0
    await publish(log)
    await kafka.has(2)
    kafka.acknowledge()
    assert (await log.close(TIMEOUT)).delivered == 2


async def test_a_logger_that_was_not_closed_logs_its_losses(
    logger: Make, kafka: ScriptedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    log = logger()
    await publish(log, 2)
    log._delivery.__del__()  # type: ignore[attr-defined]
    assert "2 events are lost to provenance: their logger was not closed" in caplog.text
    await log.close(0)


async def test_a_client_that_cancels_a_send_does_not_end_the_sender(
    logger: Make, kafka: ScriptedKafka, losses: list[Loss], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = kafka.send
    raised: list[BaseException] = [asyncio.CancelledError(), asyncio.CancelledError()]

    async def cancels_at_first(message: OutgoingMessage) -> Awaitable[object]:
        if raised:
            raise raised.pop()
        return await send(message)

    monkeypatch.setattr(kafka, "send", cancels_at_first)
    monkeypatch.setattr(kafka, "is_retriable", lambda error: isinstance(error, TimeoutError))
    log = logger()
    await publish(log, 3)
    await kafka.has(3)
    kafka.acknowledge()
    assert (await log.close(5)).everything_delivered
    assert not losses


@pytest.mark.parametrize(
    "answer",
    [asyncio.CancelledError(), GeneratorExit(), BaseExceptionGroup("both", [asyncio.CancelledError()])],
    ids=lambda answer: type(answer).__name__,
)
async def test_an_acknowledgement_that_is_no_ordinary_error_is_none(
    answer: BaseException, logger: Make, kafka: ScriptedKafka, losses: list[Loss]
) -> None:
    log = logger()
    await publish(log, 2)
    await kafka.has(2)
    kafka.sent[0][1].set_exception(answer)
    kafka.acknowledge()
    stats = await log.close(TIMEOUT)
    assert (stats.delivered, stats.not_delivered) == (1, 1)
    assert repr(answer) in str(losses[0].error)


@pytest.mark.parametrize("where", ["send", "is_retriable"])
async def test_a_transport_that_breaks_loses_its_event_and_no_other(
    where: str, logger: Make, kafka: ScriptedKafka, losses: list[Loss], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = kafka.send
    broken = [True]

    async def breaks_at_first(message: OutgoingMessage) -> Awaitable[object]:
        if broken:
            broken.clear()
            if where == "send":
                return None  # type: ignore[return-value]
            raise Away
        return await send(message)

    def breaks(error: Exception) -> bool:
        raise RuntimeError("a fault of the transport")

    monkeypatch.setattr(kafka, "send", breaks_at_first)
    monkeypatch.setattr(kafka, "is_retriable", breaks)
    log = logger()
    await publish(log, 2)
    await kafka.has(1)
    kafka.acknowledge()
    stats = await log.close(5)
    assert (stats.delivered, stats.not_delivered) == (1, 1)
    assert len(losses) == 1


async def test_a_send_that_never_returns_is_given_up_and_later_events_are_sent(
    logger: Make, kafka: ScriptedKafka, losses: list[Loss], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = kafka.send
    stuck = asyncio.Event()

    async def never_returns(message: OutgoingMessage) -> Awaitable[object]:
        stuck.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(kafka, "send", never_returns)
    log = logger(keep_trying=0.2)
    await publish(log, 3)
    await asyncio.wait_for(stuck.wait(), 5)
    assert (await asyncio.wait_for(log.flush(), 15)).not_delivered == 3
    assert {loss.reason for loss in losses} == {LossReason.NOT_DELIVERED}
    assert "has not acknowledged" in str(losses[0].error)
    monkeypatch.setattr(kafka, "send", send)
    await publish(log)
    await kafka.has(1)
    kafka.acknowledge()
    stats = await log.close(5)
    assert (stats.delivered, stats.not_delivered) == (1, 3)


async def test_an_acknowledgement_that_never_comes_is_given_up(
    logger: Make, kafka: ScriptedKafka, losses: list[Loss]
) -> None:
    log = logger(keep_trying=0.2)
    await publish(log, 2)
    await kafka.has(2)
    assert (await asyncio.wait_for(log.flush(), 15)).not_delivered == 2
    kafka.acknowledge()  # too late
    await publish(log)
    await kafka.has(3)
    kafka.acknowledge()
    stats = await log.close(5)
    assert (stats.published, stats.delivered, stats.not_delivered) == (3, 1, 2)
    assert len(losses) == 2


async def test_closing_is_bounded_where_the_client_ignores_cancellation(
    logger: Make, kafka: ScriptedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def ignores_cancellation(message: OutgoingMessage) -> Awaitable[object]:
        while not ended.is_set():
            with suppress(asyncio.CancelledError):
                await ended.wait()
        raise Away

    monkeypatch.setattr(kafka, "send", ignores_cancellation)
    log = logger()
    await publish(log, 2)
    await asyncio.sleep(0.01)
    stats = await asyncio.wait_for(log.close(0.05), 5)
    assert (stats.published, stats.closed, stats.pending) == (2, 2, 0)
    ended.set()


@pytest.mark.parametrize("transport", [AiokafkaTransport, FastStreamTransport])
async def test_a_client_without_acknowledgements_is_refused(transport: Any) -> None:
    client = (
        AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", acks=0)
        if transport is AiokafkaTransport
        else KafkaBroker("127.0.0.1:1", acks=0)
    )
    with pytest.raises(ValueError, match=r'acks=0.*give it acks="all"'):
        transport(client)
    if isinstance(client, AIOKafkaProducer):
        await client.stop()


@pytest.mark.parametrize("transport", [AiokafkaTransport, FastStreamTransport])
async def test_a_transactional_client_is_refused(transport: Any) -> None:
    """What is acknowledged within a transaction may be aborted."""
    client = (
        AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", transactional_id="album-import")
        if transport is AiokafkaTransport
        else KafkaBroker("127.0.0.1:1", transactional_id="album-import")
    )
    with pytest.raises(ValueError, match=r"transactional_id='album-import'.*a client of its own"):
        transport(client)
    if isinstance(client, AIOKafkaProducer):
        await client.stop()
