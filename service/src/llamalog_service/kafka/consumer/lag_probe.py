"""The lag of a running consumer, measured beside it."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition

from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.kafka.consumer.signals import Signals
from llamalog_service.kafka.errors import translate_kafka_errors
from llamalog_service.settings import Settings
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_CLOSE_SECONDS = 5.0


class LagProbe:
    """Measures with a client of its own: that of the consumer may be what is stuck."""

    def __init__(
        self, settings: Settings, delivery: BatchDelivery, signals: Signals, metrics: PrometheusMetrics
    ) -> None:
        self._settings = settings
        self._delivery = delivery
        self._signals = signals
        self._metrics = metrics
        self._client: AIOKafkaConsumer | None = None

    async def measure(self) -> None:
        """Compare the consumer's positions with the ends of its partitions.

        Raises:
            UnavailableError: Kafka does not answer; the next measurement connects anew.
        """
        try:
            lag = await self._delivery.read_lag(self._ends)
        except BaseException:
            await self.close()
            raise
        self._signals.is_behind = lag.is_behind
        self._metrics.lags(lag.records)

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await client.stop()

    async def _ends(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where these partitions end, as far as the broker can tell; sends a request in any case."""
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
