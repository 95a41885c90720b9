"""Rows as the provenance topic tells them, held against the filters by which the table is asked."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from cachetools import LRUCache

from llamalog_schemas.provenance import Origin, Provenance
from llamalog_service.queries.logs import LogFilter
from llamalog_service.queries.paging import utc
from llamalog_service.queries.rows import LogRow, name_in

_REMEMBERED: Final = 100_000
"""Rows of which is remembered how they were told last; redelivery repeats what is recent."""


class Told:
    """What a follower was told already: nothing is told twice, and no older revision after a newer one.

    Args:
        rows: read from the table after the feed was opened.
    """

    def __init__(self, rows: Iterable[LogRow] = ()) -> None:
        self._revisions: LRUCache[bytes, int] = LRUCache(_REMEMBERED)
        for row in rows:
            self.is_news(row)

    def is_news(self, row: LogRow) -> bool:
        """Whether this revision of the row was not told yet; from now on it was."""
        known = self._revisions.get(row.id.bytes, 0)
        if row.revision <= known:
            return False
        self._revisions[row.id.bytes] = row.revision
        return True


def row_of(told: Provenance) -> LogRow:
    """The row that a provenance record tells of; what the record had to omit is missing."""
    root, declared = told.root_job_id, told.declared_root_job_id
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
        declaration_conflict=declared is not None and root is not None and declared != root,
        revision=told.revision,
    )


def takes(wanted: LogFilter, row: LogRow) -> bool:
    """Whether a row is one that is asked for, as `read_logs` would say of the table's."""
    return (
        _is(wanted.category, row.category)
        and _is(wanted.status, row.status)
        and _is(wanted.entity_type, row.entity_type)
        and _is(wanted.entity_id, row.entity_id)
        and _is_operation(wanted.operation, row.operation)
        and (wanted.source is None or wanted.source in row.sources)
        and _is(wanted.user, row.user_id)
        and _is(wanted.job, row.job_id)
        and _is(wanted.root, row.root_job_id)
        and _is(wanted.origin, row.origin)
        and (wanted.since is None or utc(row.created_at) >= utc(wanted.since))
        and (wanted.until is None or utc(row.created_at) < utc(wanted.until))
        and _holds(wanted.error, (row.error_message, row.error_code))
        and not (wanted.roots_only and row.origin is not Origin.ROOT)
        and not (wanted.unknown_origin_only and row.root_job_id is not None)
        and _holds(wanted.q, _searched(row))
    )


def _is(wanted: object, found: object) -> bool:
    return wanted is None or wanted == found


def _is_operation(wanted: str | None, operation: str) -> bool:
    if wanted is None or not wanted.endswith("*"):
        return _is(wanted, operation)
    return operation.startswith(wanted[:-1])


def _holds(wanted: str | None, texts: Sequence[str | None]) -> bool:
    if wanted is None:
        return True
    return any(wanted.lower() in text.lower() for text in texts if text is not None)


def _searched(row: LogRow) -> Sequence[str | None]:
    told = row.metadata if isinstance(row.metadata, dict) else {}
    names = (_as_text(told.get(name)) for name in ("title", "name"))
    return (row.operation, row.job_id, row.reason, row.error_message, row.error_code, *names)


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
