"""The monitor of a consumer process, its probes and metrics, built before anything is waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from llamalog_service.http_connections import listen
from llamalog_service.kafka.consumer.monitoring import Monitored
from llamalog_service.kafka.consumer.signals import Signals
from llamalog_service.retry import RETRIES
from llamalog_service.settings import Settings, setting_name
from llamalog_service.telemetry.liveness import StallLimits
from llamalog_service.telemetry.monitor import Monitor
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_MAX_PAUSE: Final = 5.0


@asynccontextmanager
async def open_monitoring(
    settings: Settings, port: Literal["consumer_port", "migration_consumer_port"]
) -> AsyncIterator[tuple[Monitored, PrometheusMetrics]]:
    """Serve health and metrics on the port of that setting, and end the process when it has stalled.

    Raises:
        PortTakenError: the port is in use.
    """
    listener = listen(settings.monitoring_host, getattr(settings, port), setting_name(port))
    metrics = PrometheusMetrics()
    monitored = Monitored(Signals(RETRIES), pause=min(_MAX_PAUSE, settings.stall_seconds / 4))
    monitor = Monitor(
        monitored.signals.snapshot,
        metrics=metrics,
        limits=StallLimits(stall=settings.stall_seconds),
        listener=listener,
        loop=asyncio.get_running_loop(),
    )
    monitor.start()
    try:
        yield monitored, metrics
    finally:
        monitored.signals.stop()
        await monitored.close()
        await asyncio.to_thread(monitor.stop)
