"""State and lag of a running consumer: written by its event loop, read by the thread that watches it."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.kafka.clients import ISOLATION, connection_options, translate_kafka_errors
from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.retry import Retries
from llamalog_service.settings import Settings
from llamalog_service.telemetry.liveness import Snapshot
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_CLOSE_SECONDS = 5.0


class Signals:
    """The present state, in values that may be read while they are written.

    Attributes:
        heartbeats: turns of the event loop.
        delivery: whose progress is watched, once there is one.
        is_behind: whether something was left to fetch at the last look.
        away: what did not answer at the last look.
    """

    def __init__(self, waits: Retries) -> None:
        self._waits = waits
        self.heartbeats = 0
        self.delivery: BatchDelivery | None = None
        self.is_behind = False
        self.away: tuple[str, ...] = ()
        self._has_in_flight = False
        self._failed: ExitCode | None = None
        self._is_stopping = False

    def heartbeat(self) -> None:
        """The event loop turns."""
        self.heartbeats += 1
        if self.delivery is not None:
            self._has_in_flight = self.delivery.has_in_flight()

    def fail(self, error: BaseException) -> None:
        """Something has happened after which the process ends; the first error counts."""
        if self._failed is None:
            self._failed = error.exit_code if isinstance(error, LlamalogError) else ExitCode.ERROR

    def stop(self) -> None:
        """The process is shutting down."""
        self._is_stopping = True

    def snapshot(self) -> Snapshot:
        """All of it at this moment."""
        delivery = self.delivery
        progress = delivery.progress if delivery is not None else None
        return Snapshot(
            heartbeats=self.heartbeats,
            polls=progress.polls if progress else 0,
            commits=progress.commits if progress else 0,
            failures=self._waits.failures,
            is_joined=progress.is_joined if progress else False,
            has_work=self._has_in_flight or self.is_behind,
            away=self.away,
            waiting_for=self._waits.doing(),
            failed=self._failed,
            is_stopping=self._is_stopping,
        )


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
        """The ends of these partitions, as far as the broker knows; sends a request in any case."""
        with translate_kafka_errors(self._settings.kafka):
            if self._client is None:
                self._client = AIOKafkaConsumer(
                    **connection_options(self._settings),
                    group_id=None,
                    enable_auto_commit=False,
                    isolation_level=ISOLATION,
                )
                await self._client.start()
            if partitions and self._settings.kafka_durable:
                ends: Mapping[TopicPartition, int] = await self._client.end_offsets(list(partitions))
                return ends
            await self._client.topics()
            return {}
