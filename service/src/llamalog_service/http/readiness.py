"""The readiness of the API's process: whether PostgreSQL answers, without which nothing can be read."""

import asyncio
from typing import Final

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.postgres.reader import Reader
from llamalog_service.telemetry.liveness import Health
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_PING_SECONDS: Final = 2.0
_PING_TIMEOUT_SECONDS: Final = 10.0


class ReadinessProbe:
    """Pings PostgreSQL every few seconds."""

    def __init__(self, reader: Reader, metrics: PrometheusMetrics) -> None:
        self._reader = reader
        self._metrics = metrics
        self._unready: tuple[str, ...] = ("PostgreSQL was not pinged yet",)

    def health(self) -> Health:
        """The last result; a process that is stuck does not answer at all."""
        return Health((), self._unready, None)

    def forget(self) -> None:
        """Count as unready, since PostgreSQL is not pinged."""
        self._unready = ("pinging PostgreSQL has failed; the log says why",)
        self._metrics.ready.set(0)

    async def keep_pinging(self) -> None:
        """Ping PostgreSQL, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_PING_TIMEOUT_SECONDS):
                    await self._reader.value("ping")
                self._unready = ()
            except (UnavailableError, TimeoutError):
                self._unready = ("PostgreSQL does not answer",)
            self._metrics.ready.set(not self._unready)
            await asyncio.sleep(_PING_SECONDS)
