"""Monitoring of a consumer process: its heartbeat, and probes of the servers that it needs."""

import asyncio

from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.kafka.consumer.signals import LagProbe, Signals
from llamalog_service.telemetry.monitor import Check, keep_heartbeat, keep_probing


class Monitored:
    """A monitored process.

    Args:
        signals: its state, as the monitor reads it.
        pause: seconds between two probes of the servers.
    """

    def __init__(self, signals: Signals, *, pause: float) -> None:
        self.signals = signals
        self._pause = pause
        self._tasks = [asyncio.create_task(keep_heartbeat(signals.heartbeat))]

    def watch(self, delivery: BatchDelivery, lag: LagProbe, *, ping: Check, measure: Check) -> None:
        """Monitor a delivery too, and probe Kafka and PostgreSQL, from now on.

        Args:
            lag: measures the delivery's lag, which shows whether Kafka answers.
            ping: shows whether PostgreSQL answers.
            measure: further measurements, taken while PostgreSQL answers.
        """
        self.signals.delivery = delivery
        self._tasks.append(asyncio.create_task(self._probe(lag, ping, measure)))

    async def _probe(self, lag: LagProbe, ping: Check, measure: Check) -> None:
        def report(away: tuple[str, ...]) -> None:
            self.signals.away = away

        async def measure_unless_away() -> None:
            if "PostgreSQL" not in self.signals.away:
                await measure()

        try:
            await keep_probing(
                {"Kafka": lag.measure, "PostgreSQL": ping},
                report,
                measure=measure_unless_away,
                pause=self._pause,
            )
        finally:
            await lag.close()

    async def close(self) -> None:
        """End the heartbeat and the probes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
