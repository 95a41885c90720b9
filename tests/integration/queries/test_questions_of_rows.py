"""Rows by filter, root jobs, entities and counts, held against plain Python over all rows of histories."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from harness.log_oracle import LogOracle, Row
from harness.queried_histories import ENTITIES, all_items, check_many, rows_of
from histories import NOON
from llamalog_schemas.events import (
    EntityType,
)
from llamalog_schemas.provenance import Origin
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries import logs
from llamalog_service.queries.counts import (
    Bucket,
    TooManyBucketsError,
    read_counts,
    read_unknown_origins,
    read_waiting_jobs,
)
from llamalog_service.queries.entities import read_entity_summary, read_names
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.root_jobs import RootFilter, read_root_jobs


def test_root_jobs_are_listed_once_the_newest_first_with_what_is_under_them(database_url: str) -> None:
    async def check(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        wanted = RootFilter(
            category=dice.choice([None, "CREATED"]),
            status=dice.choice([None, "FAILED"]),
            user=dice.choice([None, None, "ann"]),
            q=dice.choice([None, None, "BLUE", "job-a", str(UUID(int=1))]),
        )
        found = await all_items(partial(read_root_jobs, Reader(pool), wanted), dice.randint(1, 3))
        expected = [
            row
            for row in oracle.root_jobs()
            if wanted.category in (None, row.category)
            and wanted.status in (None, row.status)
            and wanted.user in (None, row.user_id)
            and (
                wanted.q is None
                or wanted.q == str(row.entity_id)
                or any(wanted.q.lower() in text.lower() for text in searched_texts(row))
            )
        ]
        assert [job.row for job in found] == rows_of(expected)
        for job, row in zip(found, expected, strict=True):
            under = oracle.where(lambda other: other.root_job_id == job.job)  # noqa: B023 - called at once
            assert job.job == row.root_job_id
            assert job.children == len([other for other in under if other.job_id != job.job])
            assert job.failed == sum(other.failed for other in under)
            if all(abs(other.at) < 1e10 for other in under):
                assert job.duration_ms == round(1000 * (max(other.at for other in under) - row.at))

    check_many(database_url, check)


TRACE = "0af7651916cd43dd8448eb211c80319c"


def searched_texts(row: Row) -> list[str]:
    metadata = row.metadata if isinstance(row.metadata, dict) else {}
    names = [text for text in (metadata.get("title"), metadata.get("name")) if isinstance(text, str)]
    return [row.root_job_id or "", row.operation, *names]


def drawn_filter(dice: Random) -> tuple[LogFilter, Callable[[Row], bool]]:
    """A filter of a few words, and what it tests in Python."""
    start, end = NOON + timedelta(milliseconds=2), NOON + timedelta(milliseconds=5)
    choices: list[tuple[dict[str, Any], Callable[[Row], bool]]] = [
        ({"category": "LINKED"}, lambda row: row.category == "LINKED"),
        ({"category": "never heard of"}, lambda _: False),
        ({"status": "FAILED"}, lambda row: row.status == "FAILED"),
        ({"entity_type": EntityType.ARTIST}, lambda row: row.type == "ARTIST"),
        ({"entity_id": UUID(int=1)}, lambda row: row.entity_id == UUID(int=1)),
        ({"operation": "enrichment_*"}, lambda row: row.operation == "enrichment_album"),
        ({"operation": "cache:50%"}, lambda row: row.operation == "cache:50%"),
        ({"operation": "cache"}, lambda _: False),
        ({"source": "SPOTIFY"}, lambda row: "SPOTIFY" in row.sources),
        ({"user": "bob"}, lambda row: row.user_id == "bob"),
        ({"job": "job-a"}, lambda row: row.job_id == "job-a"),
        ({"root": "job-b"}, lambda row: row.root_job_id == "job-b"),
        ({"origin": Origin.PENDING}, lambda row: row.origin == "PENDING"),
        ({"origin": Origin.RESOLVED}, lambda row: row.origin == "RESOLVED"),
        ({"since": start}, lambda row: row.at >= start.timestamp()),
        ({"until": end}, lambda row: row.at < end.timestamp()),
        ({"error": "100%"}, lambda row: "100%" in (row.error_message or "")),
        ({"error": "rate_l"}, lambda row: row.error_code == "RATE_LIMITED"),
        ({"roots_only": True}, lambda row: row.origin == "ROOT"),
        ({"unknown_origin_only": True}, lambda row: row.root_job_id is None),
        ({"producer": "/tests"}, lambda row: row.producer == "/tests"),
        ({"producer": "/others"}, lambda _: False),
        ({"trace": TRACE}, lambda row: row.traceparent is not None and TRACE in row.traceparent),
        ({"q": "kind OF"}, lambda row: row.name == "Kind of Blue"),
    ]
    drawn = dice.sample(choices, dice.choice([0, 1, 1, 2, 2, 3]))
    values = {name: value for words, _ in drawn for name, value in words.items()}
    holds = [test for words, test in drawn if all(values[name] == value for name, value in words.items())]
    return LogFilter(**values), lambda row: all(test(row) for test in holds)


@pytest.mark.parametrize("searched", [20_000, 3])
def test_logs_are_the_rows_for_which_all_filters_hold(
    database_url: str, monkeypatch: pytest.MonkeyPatch, searched: int
) -> None:
    monkeypatch.setattr(logs, "MAX_ROWS_SCANNED", searched)

    async def check(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for _ in range(6):
            wanted, holds = drawn_filter(dice)
            newest_first = dice.random() < 0.5
            read = partial(read_logs, Reader(pool), wanted, newest_first=newest_first)
            expected = rows_of(oracle.where(holds))
            found = [row.id for row in await all_items(read, dice.randint(2, 5))]
            assert found == (expected[::-1] if newest_first else expected), wanted

    check_many(database_url, check)


def test_names_and_summaries_are_those_of_the_events_about_an_entity(database_url: str) -> None:
    async def check(pool: asyncpg.Pool, oracle: LogOracle, _: Random) -> None:
        names = await read_names(Reader(pool), ENTITIES)
        names_of: dict[UUID, set[str]] = {}
        for entity in ENTITIES:
            about = oracle.about(entity.type, entity.id)
            summary = await read_entity_summary(Reader(pool), entity, now=NOON + timedelta(milliseconds=5))
            named = [row.name for row in about if row.name]
            names_of.setdefault(entity.id, set()).update(named[-1:])
            assert summary.name == (named[-1] if named else None)
            assert set(summary.names) == set(named)
            assert summary.rows == len(about)

            def of(category: str) -> list[Row]:
                return [row for row in about if row.category == category]  # noqa: B023 - called at once

            assert getattr(summary.first_created, "row", None) == first(of("CREATED"))
            assert getattr(summary.first_linked, "row", None) == first(of("LINKED"))
            assert getattr(summary.last_enriched, "row", None) == first(of("ENRICHED")[::-1])
            failures = [row for row in about if row.failed]
            assert getattr(summary.last_failure, "row", None) == first(failures[::-1])
            retried = [row.retry_count for row in about if row.retry_count is not None]
            assert summary.retry_count == (retried[-1] if retried else 0)
            recent = NOON.timestamp() + 0.005 - 24 * 3600
            assert summary.failed_recently == any(row.at >= recent for row in failures)
            assert summary.no_data_recently == any(
                row.status == "NO_DATA_AVAILABLE" and row.at >= recent for row in about
            )
        assert all(name in names_of[entity] for entity, name in names.items())
        assert {entity for entity, found in names_of.items() if found} == set(names)

    check_many(database_url, check)


def first(rows: list[Row]) -> UUID | None:
    return rows[0].id if rows else None


def test_what_is_unknown_and_what_is_waited_for_is_counted(database_url: str) -> None:
    async def check(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        unknown = await read_unknown_origins(Reader(pool))
        rootless = oracle.where(lambda row: row.root_job_id is None)
        reasons = [row.origin or "UNPROCESSED" for row in rootless]
        assert unknown.by_reason == {reason: reasons.count(reason) for reason in reasons}
        assert unknown.rows == len(rootless)

        found = await all_items(partial(read_waiting_jobs, Reader(pool)), dice.randint(1, 3))
        assert {waiting.job: waiting.rows for waiting in found} == {
            job: len(rows) for job, rows in oracle.waiting().items()
        }
        assert len(found) == len(oracle.waiting())

    check_many(database_url, check, odd=False)


def test_counts_over_time_are_those_of_the_rows(database_url: str) -> None:
    async def check(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        since, until = NOON + timedelta(milliseconds=1), NOON + timedelta(milliseconds=5)
        counts = await read_counts(Reader(pool), since=since, until=until, bucket=dice.choice(list(Bucket)))
        found: Counter[str] = Counter()
        for bucket in counts.buckets:
            found.update(bucket.by_category)
        within = oracle.where(lambda row: since.timestamp() <= row.at < until.timestamp())
        assert found == Counter(row.category for row in within)

    check_many(database_url, check)


async def test_counts_over_too_many_buckets_are_refused(pool: asyncpg.Pool) -> None:
    with pytest.raises(TooManyBucketsError, match="larger buckets"):
        await read_counts(Reader(pool), since=NOON, until=NOON + timedelta(days=3650), bucket=Bucket.HOUR)
