"""Example responses of the OpenAPI document: an album, and the artist that it was linked with."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from llamalog_schemas.events import Category, EntityType, Status
from llamalog_schemas.provenance import Origin
from llamalog_service.log.corrections import CauseKind
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.explanations import (
    ExplainedStep,
    Explanation,
    StatedEvent,
)
from llamalog_service.queries.jobs import Chain, JobSummary, Tree
from llamalog_service.queries.lineages import LineageEntry
from llamalog_service.queries.paging import Cursor, Page
from llamalog_service.queries.root_changes import EventRef, RootChange, RootHistory
from llamalog_service.queries.root_jobs import RootJob
from llamalog_service.queries.rows import LogRow
from llamalog_service.queries.timeline import Timeline

_ALBUM: Final = UUID("6b1f0c5e-0f4e-4c0e-9f0a-3a8f2f8f4c11")
_ARTIST: Final = UUID("0d4f5a0e-8d1b-4c39-a1b0-5a4f0f4d7f21")
_ROOT: Final = "album-create-42"
_LINKING: Final = "artist-link-42"
_AT: Final = datetime(2026, 2, 10, 10, 30, tzinfo=UTC)
_LATER: Final = timedelta(milliseconds=1207)

ROW: Final = LogRow(
    id=UUID("0199c0de-0000-7000-8000-000000000001"),
    created_at=_AT,
    recorded_at=_AT + timedelta(milliseconds=84),
    entity_type=EntityType.ALBUM,
    entity_id=_ALBUM,
    album_id=_ALBUM,
    artist_id=None,
    track_id=None,
    name="Lemonade",
    operation="album:created",
    category=Category.CREATED,
    sources=("MUSICBRAINZ",),
    status=Status.SUCCESS,
    reason=None,
    fields_enriched=("title", "releaseDate"),
    data_quality_before=None,
    data_quality_after="MEDIUM",
    error_message=None,
    error_code=None,
    retry_count=0,
    duration_ms=312,
    api_call_count=2,
    metadata={"title": "Lemonade"},
    preview_data=None,
    job_id=_ROOT,
    parent_job_id=None,
    root_job_id=_ROOT,
    declared_root_job_id=None,
    is_root_job=True,
    triggered_by="user",
    user_id="user-7",
    origin=Origin.ROOT,
    cycle_members=None,
    parent_conflict=False,
    declaration_conflict=False,
    revision=1,
    producer="/catalogue/enrichment",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    is_legacy=False,
    erased=False,
    retracted=False,
)

_LINKED: Final = replace(
    ROW,
    id=UUID("0199c0de-0000-7000-8000-000000000002"),
    created_at=_AT + _LATER,
    recorded_at=_AT + _LATER,
    entity_type=EntityType.ARTIST,
    entity_id=_ARTIST,
    artist_id=_ARTIST,
    name="Beyoncé",
    operation="artist:linked:album",
    category=Category.LINKED,
    fields_enriched=(),
    data_quality_after=None,
    metadata={"name": "Beyoncé"},
    job_id=_LINKING,
    parent_job_id=_ROOT,
    is_root_job=False,
    origin=Origin.RESOLVED,
)
_ENTRIES: Final = (
    LineageEntry(row=ROW, depth=0, parent=None),
    LineageEntry(row=_LINKED, depth=1, parent=_ROOT),
)
_PARENTS: Final = {_ROOT: None, _LINKING: _ROOT}
_NEXT: Final = str(Cursor(_LINKED.created_at.replace(tzinfo=None).isoformat(), _LINKED.id))

ROWS: Final = Page(items=(_LINKED, ROW), next=str(Cursor(_AT.replace(tzinfo=None).isoformat(), ROW.id, True)))

TIMELINE: Final = Timeline(
    entity=EntityRef(type=EntityType.ALBUM, id=_ALBUM),
    name="Lemonade",
    entries=_ENTRIES,
    parents=_PARENTS,
    longer=False,
    next=_NEXT,
)

TREE: Final = Tree(job=_ROOT, entries=_ENTRIES, parents=_PARENTS, longer=False, next=_NEXT)


def _summary(row: LogRow, children: int) -> JobSummary:
    return JobSummary(
        job=row.job_id,
        seen=True,
        name=row.name,
        category=row.category,
        status=row.status,
        operation=row.operation,
        entity_type=row.entity_type,
        entity_id=row.entity_id,
        rows=1,
        failed=0,
        children=children,
        first_at=row.created_at,
        last_at=row.created_at,
        retracted=row.retracted,
    )


CHILDREN: Final = Page(items=(_summary(_LINKED, children=0),))

CHAIN: Final = Chain(
    job=_LINKING,
    links=(_summary(ROW, children=1), _summary(_LINKED, children=0)),
    longer=False,
    root=_ROOT,
    origin=Origin.RESOLVED,
    cycle=(),
)

ROOT_JOBS: Final = Page(
    items=(
        RootJob(
            job=_ROOT,
            row=ROW.id,
            origin=Origin.ROOT,
            entity_type=EntityType.ALBUM,
            entity_id=_ALBUM,
            name="Lemonade",
            operation=ROW.operation,
            category=Category.CREATED,
            status=Status.SUCCESS,
            children=1,
            failed=0,
            duration_ms=round(_LATER.total_seconds() * 1000),
            user="user-7",
            triggered_by="user",
            created_at=_AT,
            retracted=False,
        ),
    )
)


def _event(row: LogRow) -> EventRef:
    return EventRef(
        row=row.id,
        at=row.created_at,
        operation=row.operation,
        producer=row.producer,
        is_legacy=row.is_legacy,
    )


def _step(row: LogRow, parent: str | None, *sentences: str) -> ExplainedStep:
    claims = () if parent is None else (StatedEvent(event=_event(row), named=parent, counts=True),)
    return ExplainedStep(
        job=row.job_id or "",
        seen=True,
        first=_event(row),
        parent=parent,
        claims=claims,
        claim_count=len(claims),
        declarations=(),
        declaration_count=0,
        overrides=(),
        override_count=0,
        retracted=(),
        retracted_count=0,
        sentences=sentences,
    )


_LATE: Final = (
    f"An event decided or changed the parent of {_ROOT} (row {ROW.id}, {ROW.operation}, by {ROW.producer})."
)

EXPLANATION: Final = Explanation(
    row=_LINKED.id,
    job=_LINKING,
    root=_ROOT,
    origin=Origin.RESOLVED,
    stored_root=_ROOT,
    stored_origin=Origin.RESOLVED,
    cycle=(),
    parent_conflict=False,
    retracted=False,
    retraction=None,
    steps=(
        _step(
            _LINKED,
            _ROOT,
            f"The parent of {_LINKING} is {_ROOT}, by its earliest claim: row {_LINKED.id}, "
            f"artist:linked:album, of 2026-02-10 10:30:01.207 UTC, by {_LINKED.producer}.",
        ),
        _step(ROW, None, f"No event of the job {_ROOT} names a parent: the chain ends here."),
    ),
    skipped=0,
    longer=False,
    conclusion=(
        f"The walk ends at {_ROOT}, which was seen and has no parent, so that it is the root: RESOLVED.",
    ),
    history=RootHistory(
        changes=(
            RootChange(
                revision=2,
                at=_AT + 2 * _LATER,
                old_root=None,
                old_origin=Origin.PENDING,
                root=_ROOT,
                origin=Origin.RESOLVED,
                cause=CauseKind.RECOMPUTE,
                run=UUID("0199c0de-0000-7000-8000-000000000009"),
                retraction=None,
                job=_ROOT,
                event=_event(ROW),
                sentence=_LATE,
            ),
        ),
        longer=False,
        since=datetime(2026, 1, 1, tzinfo=UTC),
        is_cut=False,
    ),
)
