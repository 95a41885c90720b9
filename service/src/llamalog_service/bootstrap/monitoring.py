"""A process that tells how it is: built before anything is waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from llamalog_service.bootstrap.probes import Sampling, heartbeat, probe
from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.kafka.consumer.signals import Signals
from llamalog_service.postgres.statements import Reader
from llamalog_service.retry import RETRIES
from llamalog_service.settings import Settings, setting_name
from llamalog_service.telemetry.liveness import StallLimits
from llamalog_service.telemetry.monitor import Monitor
from llamalog_service.telemetry.prometheus import PrometheusMetrics
from llamalog_service.telemetry.server import listen


class Monitored:
    """A process under watch.

    Attributes:
        metrics: what it metrics.
        signals: what it shows of itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.metrics = PrometheusMetrics()
        self.signals = Signals(RETRIES)
        self._tasks = [asyncio.create_task(heartbeat(self.signals))]

    def watch(self, delivery: BatchDelivery, reader: Reader, sampling: Sampling) -> None:
        """Watch a delivery too, and measure what `sampling` does, from now on."""
        self.signals.delivery = delivery
        self._tasks.append(
            asyncio.create_task(
                probe(
                    self._settings,
                    self.signals,
                    delivery=delivery,
                    reader=reader,
                    metrics=self.metrics,
                    sampling=sampling,
                )
            )
        )

    async def close(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def open_monitoring(
    settings: Settings, port: Literal["consumer_port", "migration_consumer_port"]
) -> AsyncIterator[Monitored]:
    """Answer on the port of that setting, and end the process when it has stalled.

    Raises:
        PortTakenError: somebody else listens there.
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
