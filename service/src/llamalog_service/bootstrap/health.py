"""How an installation is: asked of Kafka, of PostgreSQL and of the consumers, side by side."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Final, NamedTuple, TypeVar
from urllib.request import ProxyHandler, build_opener

import structlog

from llamalog_service.bootstrap.table_gauges import MAX_ROWS
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.http.health import HealthSummary, Rates, TableSize, TimeToRoot, TopicLag, WorkLeft
from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.offsets import read_lag
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.counts import NOT_LOOKED_AT
from llamalog_service.queries.summary import read_work
from llamalog_service.settings import Settings
from llamalog_service.telemetry.metrics_scraper import ScrapedMetrics, parse_metrics

_log = structlog.get_logger("llamalog.api")

Result = TypeVar("Result")

_OPENER: Final = build_opener(ProxyHandler({}))
"""The consumers are neighbours, whatever proxy the environment names."""

_ANSWER_SECONDS: Final = 4.0
_METRICS_SECONDS: Final = 2.0
_OLD_SECONDS: Final = 1.0
_SAMPLE_SECONDS: Final = 10.0
_SAMPLES: Final = 7
"""So many are kept: rates are those of the last minute."""
_MAX_BYTES: Final = 1024 * 1024


class _Sample(NamedTuple):
    at: float
    figures: ScrapedMetrics
    silent: tuple[str, ...]
    is_whole: bool


class HealthWatch:
    """Asks the consumers for their metrics every few seconds, and everything else when somebody asks it."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._settings = settings
        self._reader = reader
        self._urls = _metrics_urls(settings)
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)
        self._asking = asyncio.Lock()
        self._told: tuple[float, HealthSummary] | None = None

    async def keep_sampling(self) -> None:
        """Look at the consumers' metrics, until cancelled."""
        while True:
            await self._sample()
            await asyncio.sleep(_SAMPLE_SECONDS)

    def forget_samples(self) -> None:
        """Tell no rates of a time in which nobody looked."""
        self._samples.clear()

    async def summary(self, live_streams: int) -> HealthSummary:
        """How the installation is; what does not answer is left out, and named; up to a second old."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._told is None or now - self._told[0] > _OLD_SECONDS:
                self._told = (now, await self._ask(live_streams))
            return self._told[1]

    async def _ask(self, live_streams: int) -> HealthSummary:
        silent: list[str] = []
        lag, database, _ = await asyncio.gather(
            _or_none("Kafka", silent, self._lag),
            _or_none("PostgreSQL", silent, self._database),
            self._sample(),
        )
        last = self._samples[-1]
        table, work, unresolved = database or (None, None, None)
        return HealthSummary(
            at=datetime.now(UTC),
            lag=lag,
            rates=_rates(self._samples),
            time_to_root=_time_to_root(last.figures),
            table=table,
            work=work,
            unresolved=unresolved,
            live_streams=live_streams,
            silent=(*silent, *last.silent),
        )

    async def _lag(self) -> tuple[TopicLag, ...]:
        settings, names = self._settings, topics(self._settings.topic_prefix)
        read = (
            (settings.consumer_group, names.entity_events.name),
            (settings.migration_group, names.backfill_commands.name),
        )
        async with open_admin(settings) as admin:
            return tuple(
                [
                    TopicLag(topic=topic, group=group, records=await read_lag(settings, admin, group, topic))
                    for group, topic in read
                ]
            )

    async def _database(self) -> tuple[TableSize, WorkLeft, dict[str, int]]:
        size = await self._reader.row("table_size")
        topic = topics(self._settings.topic_prefix).entity_events.name
        work = await read_work(self._reader, group=self._settings.consumer_group, topic=topic)
        unsettled = await self._reader.rows("gauge_unsettled", MAX_ROWS)
        return (
            TableSize(
                bytes=size["bytes"],
                rows=size["rows"],
                bytes_per_row=round(size["bytes"] / size["rows"], 1) if size["rows"] else None,
            ),
            WorkLeft(open_repairs=work.open_repairs, untold=work.untold),
            {record["origin"] or NOT_LOOKED_AT: record["rows"] for record in unsettled},
        )

    async def _sample(self) -> None:
        texts = await asyncio.gather(*(asyncio.to_thread(_fetch, url) for url in self._urls))
        silent = tuple(url for url, text in zip(self._urls, texts, strict=True) if text is None)
        figures = parse_metrics([text for text in texts if text is not None])
        self._samples.append(
            _Sample(asyncio.get_running_loop().time(), figures, silent, bool(texts) and not silent)
        )


async def _or_none(name: str, silent: list[str], asking: Callable[[], Awaitable[Result]]) -> Result | None:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asking()
    except (UnavailableError, TimeoutError) as away:
        _log.warning("does not answer", who=name, reason=str(away))
        silent.append(name)
        return None


def _metrics_urls(settings: Settings) -> tuple[str, ...]:
    if settings.api_metrics_urls:
        return tuple(url.strip() for url in settings.api_metrics_urls.split(",") if url.strip())
    ports = (settings.consumer_port, settings.migration_consumer_port)
    return tuple(f"http://{settings.monitoring_host}:{port}/metrics" for port in ports if port)


def _fetch(url: str) -> str | None:
    """The metrics that are answered there; None if nothing is, or something else: a port may be another's."""
    try:
        with _OPENER.open(url, timeout=_METRICS_SECONDS) as response:
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
        events=rate(first.figures.events, last.figures.events),
        rows_recorded=rate(first.figures.rows_recorded, last.figures.rows_recorded),
        rows_corrected=rate(first.figures.rows_corrected, last.figures.rows_corrected),
    )


def _time_to_root(figures: ScrapedMetrics) -> TimeToRoot | None:
    if not figures.rows_known:
        return None
    return TimeToRoot(
        rows=figures.rows_known,
        p50=figures.known_share_within(0.5),
        p99=figures.known_share_within(0.99),
    )
