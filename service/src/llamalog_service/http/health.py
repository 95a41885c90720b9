"""The health of an installation, read from Kafka, PostgreSQL and the consumers' metrics side by side."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Final, NamedTuple, TypeVar
from urllib.request import ProxyHandler, build_opener

import structlog
from msgspec import Struct

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.counts import WorkLeft, read_unresolved, read_work_left
from llamalog_service.telemetry.metrics_scraper import ScrapedMetrics, parse_metrics

_log = structlog.get_logger("llamalog.api")

Result = TypeVar("Result")

_OPENER: Final = build_opener(ProxyHandler({}))
"""The consumers are neighbours; a proxy of the environment is not for them."""

_TIMEOUT_SECONDS: Final = 4.0
_METRICS_TIMEOUT_SECONDS: Final = 2.0
_CACHE_SECONDS: Final = 1.0
_SAMPLE_SECONDS: Final = 10.0
_SAMPLES: Final = 7
"""The number of samples: rates are those of the last minute."""
_MAX_BYTES: Final = 1024 * 1024
"""The most that is read of a consumer's metrics."""


class TopicLag(Struct, frozen=True, kw_only=True, rename="camel"):
    """The lag of a consumer group.

    Attributes:
        records: messages past the committed offsets.
    """

    topic: str
    group: str
    records: int


class Rates(Struct, frozen=True, kw_only=True, rename="camel"):
    """The consumers' throughput a second, measured over so many seconds."""

    seconds: float
    events: float
    rows_recorded: float
    rows_corrected: float


class TimeToRoot(Struct, frozen=True, kw_only=True, rename="camel"):
    """Seconds from a row's recording until its root was known, since the consumers' start.

    Attributes:
        p50, p99: upper bounds of the buckets that hold them; null if it took longer than all of them.
    """

    rows: int
    p50: float | None
    p99: float | None


class TableSize(Struct, frozen=True, kw_only=True, rename="camel"):
    """The log on disk.

    Attributes:
        bytes: its indexes included.
        rows: as PostgreSQL estimates it.
        bytes_per_row: null for an empty log.
    """

    bytes: int
    rows: int
    bytes_per_row: float | None


class HealthSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """The health of an installation; what could not be read is null, and `unreachable` names its source.

    Attributes:
        unreachable: what did not answer: PostgreSQL, Kafka, or the address of a consumer's metrics.
        rates: null until the consumers' metrics were read twice.
        time_to_root: null before the first row.
        live_streams: server-sent events under way in this process.
    """

    at: datetime
    lag: tuple[TopicLag, ...] | None
    rates: Rates | None
    time_to_root: TimeToRoot | None
    table: TableSize | None
    work: WorkLeft | None
    unresolved: dict[str, int] | None
    live_streams: int
    unreachable: tuple[str, ...]


class _Sample(NamedTuple):
    at: float
    metrics: ScrapedMetrics
    unreachable: tuple[str, ...]
    is_whole: bool


class HealthMonitor:
    """Samples the consumers' metrics every few seconds, and reads everything else on request.

    Args:
        groups: the consumer group that reads each topic.
        read_lag: reads from Kafka how many messages of a topic a group has not committed.
        metrics_urls: of the consumers' metrics.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        groups: Mapping[str, str],
        read_lag: Callable[[str, str], Awaitable[int]],
        metrics_urls: Sequence[str],
    ) -> None:
        self._reader = reader
        self._groups = groups
        self._read_lag = read_lag
        self._urls = metrics_urls
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)
        self._reading = asyncio.Lock()
        self._cached: tuple[float, HealthSummary] | None = None

    async def keep_sampling(self) -> None:
        """Sample the consumers' metrics, until cancelled."""
        while True:
            await self._sample()
            await asyncio.sleep(_SAMPLE_SECONDS)

    def forget_samples(self) -> None:
        """Drop all samples: they are too old for rates."""
        self._samples.clear()

    async def summary(self, live_streams: int) -> HealthSummary:
        """The health of the installation, up to a second old; never an error.

        Args:
            live_streams: server-sent events under way in this process.
        """
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if self._cached is None or now - self._cached[0] > _CACHE_SECONDS:
                self._cached = (now, await self._read(live_streams))
            return self._cached[1]

    async def _read(self, live_streams: int) -> HealthSummary:
        unreachable: list[str] = []
        lag, database, _ = await asyncio.gather(
            _or_none("Kafka", unreachable, self._lags),
            _or_none("PostgreSQL", unreachable, self._database),
            self._sample(),
        )
        last = self._samples[-1]
        table, work, unresolved = database or (None, None, None)
        return HealthSummary(
            at=datetime.now(UTC),
            lag=lag,
            rates=_rates(self._samples),
            time_to_root=_time_to_root(last.metrics),
            table=table,
            work=work,
            unresolved=unresolved,
            live_streams=live_streams,
            unreachable=(*unreachable, *last.unreachable),
        )

    async def _lags(self) -> tuple[TopicLag, ...]:
        return tuple(
            [
                TopicLag(topic=topic, group=group, records=await self._read_lag(group, topic))
                for topic, group in self._groups.items()
            ]
        )

    async def _database(self) -> tuple[TableSize, WorkLeft, dict[str, int]]:
        size = await self._reader.row("table_size")
        work = await read_work_left(self._reader)
        unresolved = await read_unresolved(self._reader)
        return (
            TableSize(
                bytes=size["bytes"],
                rows=size["rows"],
                bytes_per_row=round(size["bytes"] / size["rows"], 1) if size["rows"] else None,
            ),
            work,
            {origin: pending.rows for origin, pending in unresolved.items()},
        )

    async def _sample(self) -> None:
        texts = await asyncio.gather(*(asyncio.to_thread(_fetch, url) for url in self._urls))
        unreachable = tuple(url for url, text in zip(self._urls, texts, strict=True) if text is None)
        metrics = parse_metrics([text for text in texts if text is not None])
        self._samples.append(
            _Sample(asyncio.get_running_loop().time(), metrics, unreachable, bool(texts) and not unreachable)
        )


async def _or_none(
    source: str, unreachable: list[str], read: Callable[[], Awaitable[Result]]
) -> Result | None:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            return await read()
    except (UnavailableError, TimeoutError) as away:
        _log.warning("does not answer", source=source, reason=str(away))
        unreachable.append(source)
        return None


def _fetch(url: str) -> str | None:
    """The metrics at a URL; None if it does not answer, or answers something else."""
    try:
        with _OPENER.open(url, timeout=_METRICS_TIMEOUT_SECONDS) as response:
            text: str = response.read(_MAX_BYTES).decode(errors="replace")
        parse_metrics([text])
    except (OSError, ValueError, KeyError, HTTPException):
        return None
    return text


def _rates(samples: Sequence[_Sample]) -> Rates | None:
    """Between the oldest and the newest sample; a consumer that was started again counts from its start."""
    whole = [sample for sample in samples if sample.is_whole]
    if len(whole) < 2:
        return None
    first, last = whole[0], whole[-1]
    seconds = last.at - first.at
    if seconds < 1:
        return None

    def rate(before: float, after: float) -> float:
        return round((after - before if after >= before else after) / seconds, 2)

    return Rates(
        seconds=round(seconds, 1),
        events=rate(first.metrics.events, last.metrics.events),
        rows_recorded=rate(first.metrics.rows_recorded, last.metrics.rows_recorded),
        rows_corrected=rate(first.metrics.rows_corrected, last.metrics.rows_corrected),
    )


def _time_to_root(metrics: ScrapedMetrics) -> TimeToRoot | None:
    if not metrics.rows_known:
        return None
    return TimeToRoot(
        rows=metrics.rows_known,
        p50=metrics.known_share_within(0.5),
        p99=metrics.known_share_within(0.99),
    )
