"""The monitor of a consumer process, its probes and metrics, built before anything is waited for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.kafka.consumer.signals import LagProbe, Signals
from llamalog_service.postgres.statements import Reader
from llamalog_service.retry import RETRIES
from llamalog_service.settings import Settings, setting_name
from llamalog_service.telemetry.liveness import StallLimits
from llamalog_service.telemetry.monitor import Monitor, keep_heartbeat, keep_probing
from llamalog_service.telemetry.probes import listen
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_MAX_PAUSE: Final = 5.0


class Monitored:
    """A monitored process.

    Attributes:
        metrics: its metrics.
        signals: its state, as the monitor reads it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.metrics = PrometheusMetrics()
        self.signals = Signals(RETRIES)
        self._tasks = [asyncio.create_task(keep_heartbeat(self.signals.heartbeat))]

    def watch(self, delivery: BatchDelivery, reader: Reader, measure: Callable[[], Awaitable[None]]) -> None:
        """Monitor a delivery too, and probe Kafka and PostgreSQL, from now on.

        Args:
            measure: further measurements, taken while PostgreSQL answers.
        """
        self.signals.delivery = delivery
        self._tasks.append(asyncio.create_task(self._probe(delivery, reader, measure)))

    async def _probe(
        self, delivery: BatchDelivery, reader: Reader, measure: Callable[[], Awaitable[None]]
    ) -> None:
        lag = LagProbe(self._settings, delivery, self.signals, self.metrics)

        def report(away: tuple[str, ...]) -> None:
            self.signals.away = away

        async def measure_unless_away() -> None:
            if "PostgreSQL" not in self.signals.away:
                await measure()

        try:
            await keep_probing(
                {"Kafka": lag.measure, "PostgreSQL": lambda: reader.value("ping")},
                report,
                measure=measure_unless_away,
                pause=min(_MAX_PAUSE, self._settings.stall_seconds / 4),
            )
        finally:
            await lag.close()

    async def close(self) -> None:
        """End the probes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def open_monitoring(
    settings: Settings, port: Literal["consumer_port", "migration_consumer_port"]
) -> AsyncIterator[Monitored]:
    """Serve health and metrics on the port of that setting, and end the process when it has stalled.

    Raises:
        PortTakenError: the port is in use.
    """
    listener = listen(settings.monitoring_host, getattr(settings, port), setting_name(port))
    monitored = Monitored(settings)
    monitor = Monitor(
        monitored.signals.snapshot,
        metrics=monitored.metrics,
        limits=StallLimits(stall=settings.stall_seconds),
        listener=listener,
        loop=asyncio.get_running_loop(),
    )
    monitor.start()
    try:
        yield monitored
    finally:
        monitored.signals.stop()
        await monitored.close()
        await asyncio.to_thread(monitor.stop)
