"""The live feed as server-sent events, for whoever asks with a filter."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sse_starlette import ServerSentEvent

from llamalog_schemas.provenance import Origin, Provenance
from llamalog_service.http.feed import Feed, FeedState, Gap, Told
from llamalog_service.http.streams import event
from llamalog_service.queries.logs import LogFilter
from llamalog_service.queries.rows import LogRow, name_in


async def log_events(
    feed: Feed, wanted: LogFilter, last: str | None
) -> AsyncGenerator[ServerSentEvent, None]:
    """The rows that are wanted, as events; and how the feed stands."""
    async with aclosing(feed.follow(last)) as following:
        async for news in following:
            match news:
                case Told():
                    row = log_row_of(news.row)
                    if matches(wanted, row):
                        yield event("row", row, feed.place_of(news))
                case Gap():
                    yield event("gap", {"missed": news.missed})
                case FeedState():
                    yield event(news.value, {})


def log_row_of(told: Provenance) -> LogRow:
    """A provenance record as a row of the log."""
    declared, root = told.declared_root_job_id, told.root_job_id
    return LogRow(
        id=told.id,
        created_at=told.created_at,
        recorded_at=told.recorded_at,
        entity_type=told.entity_type,
        entity_id=told.entity_id,
        album_id=told.album_id,
        artist_id=told.artist_id,
        track_id=told.track_id,
        name=name_in(told.metadata),
        operation=told.operation,
        category=told.category,
        sources=told.sources,
        status=told.status,
        reason=told.reason,
        fields_enriched=told.fields_enriched,
        data_quality_before=told.data_quality_before,
        data_quality_after=told.data_quality_after,
        error_message=told.error_message,
        error_code=told.error_code,
        retry_count=told.retry_count,
        duration_ms=told.duration_ms,
        api_call_count=told.api_call_count,
        metadata=told.metadata,
        preview_data=told.preview_data,
        job_id=told.job_id,
        parent_job_id=told.parent_job_id,
        root_job_id=root,
        declared_root_job_id=declared,
        is_root_job=told.is_root_job,
        triggered_by=told.triggered_by,
        user_id=told.user_id,
        origin=told.origin,
        cycle_members=told.cycle_members,
        parent_conflict=told.parent_conflict,
        declaration_conflict=None not in (declared, root) and declared != root,
        revision=told.revision,
    )


def matches(wanted: LogFilter, row: LogRow) -> bool:
    """Whether a row is one that `read_logs` would find."""
    return (
        wanted.category in (None, row.category)
        and wanted.status in (None, row.status)
        and wanted.entity_type in (None, row.entity_type)
        and wanted.entity_id in (None, row.entity_id)
        and _is_operation(wanted.operation, row.operation)
        and (wanted.source is None or wanted.source in row.sources)
        and wanted.user in (None, row.user_id)
        and wanted.job in (None, row.job_id)
        and wanted.root in (None, row.root_job_id)
        and wanted.origin in (None, row.origin)
        and (wanted.since is None or row.created_at >= wanted.since)
        and (wanted.until is None or row.created_at < wanted.until)
        and _says(wanted.error, row.error_message, row.error_code)
        and (not wanted.roots_only or row.origin is Origin.ROOT)
        and (not wanted.unknown_origin_only or row.root_job_id is None)
        and _says(
            wanted.q, row.name, row.operation, row.job_id, row.error_message, row.error_code, row.reason
        )
    )


def _is_operation(wanted: str | None, said: str) -> bool:
    if wanted is None:
        return True
    return said.startswith(wanted[:-1]) if wanted.endswith("*") else said == wanted


def _says(wanted: str | None, *texts: str | None) -> bool:
    return wanted is None or any(text is not None and wanted.casefold() in text.casefold() for text in texts)
