"""Looks at a running consumer from beside it: does Kafka answer, does PostgreSQL, how far is it behind."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.kafka.consumer.signals import Signals
from llamalog_service.kafka.errors import translate_kafka_errors
from llamalog_service.postgres.statements import Reader
from llamalog_service.settings import Settings
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_log = structlog.get_logger("llamalog.monitor")

_BEAT_SECONDS = 0.5
_ANSWER_SECONDS = 5.0
_LONGEST_PAUSE = 5.0
_JOBS_SAMPLED = 20

Sampling = Callable[[], Awaitable[None]]


async def heartbeat(signals: Signals) -> None:
    """Show that the event loop turns, until cancelled."""
    while True:
        signals.heartbeat()
        await asyncio.sleep(_BEAT_SECONDS)


async def probe(
    settings: Settings,
    signals: Signals,
    *,
    delivery: BatchDelivery,
    reader: Reader,
    metrics: PrometheusMetrics,
    sampling: Sampling,
) -> None:
    """Look at Kafka, PostgreSQL and the delivery every few seconds, until cancelled.

    Args:
        sampling: what else is to be measured while PostgreSQL answers.
    """
    kafka = _KafkaBeside(settings)
    try:
        while True:
            away = []
            if not await _answers(lambda: _read_lag(signals, delivery, kafka, metrics)):
                away.append("Kafka")
                await kafka.forget()
            if not await _answers(lambda: _ask(reader)):
                away.append("PostgreSQL")
            elif not await _answers(sampling):
                _log.debug("tables not measured")
            signals.away = tuple(away)
            await asyncio.sleep(min(_LONGEST_PAUSE, settings.stall_seconds / 4))
    finally:
        await kafka.forget()


async def sample_depth(reader: Reader, metrics: PrometheusMetrics) -> None:
    """Walk up from some of the jobs recorded last.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    jobs = metrics.sample_jobs(_JOBS_SAMPLED)
    for record in await reader.rows("chain_depth", jobs) if jobs else ():
        metrics.depth(record["depth"], record["job"])


async def _answers(asking: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await asking()
    except (UnavailableError, TimeoutError):
        return False
    except Exception as defect:  # it must not end the looking, and is no sign of life
        _log.warning("a look has failed", error=repr(defect))
        return False
    return True


async def _ask(reader: Reader) -> None:
    await reader.value("ping")


async def _read_lag(
    signals: Signals, delivery: BatchDelivery, kafka: "_KafkaBeside", metrics: PrometheusMetrics
) -> None:
    lag = await delivery.read_lag(kafka.ends)
    signals.is_behind = lag.is_behind
    metrics.lags(lag.records)


class _KafkaBeside:
    """A client of its own: that of the consumer may be what is stuck."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AIOKafkaConsumer | None = None

    async def ends(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where these partitions end, as far as the broker can tell; asks Kafka in any case.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        with translate_kafka_errors(self._settings.kafka):
            if self._client is None:
                self._client = AIOKafkaConsumer(
                    bootstrap_servers=self._settings.kafka, group_id=None, enable_auto_commit=False
                )
                await self._client.start()
            if partitions and self._settings.kafka_durable:
                ends: Mapping[TopicPartition, int] = await self._client.end_offsets(list(partitions))
                return ends
            await self._client.topics()
            return {}

    async def forget(self) -> None:
        """Disconnect; the next question connects anew."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await client.stop()
