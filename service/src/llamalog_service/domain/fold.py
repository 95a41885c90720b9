"""The log as a pure function of the set of events: what the table must equal at rest.

Written to be read, one definition after the other as in the design's section "Roots". It is the
oracle: the consumer and the recompute are tested against it and share none of its ways to find a root.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from llamalog_schemas.events import (
    Event,
    RootAdopted,
    UserErased,
    is_erased,
    is_override,
    is_retraction,
    is_root_override,
    row_id,
)
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.erasures import Erasures, erased_event, erasure_of
from llamalog_service.domain.lineage import Root, Statement, name_cycle
from llamalog_service.domain.retractions import retracted_rows, retraction_of
from llamalog_service.domain.rows import Content, content_of, utc_milliseconds


class FoldedRow(NamedTuple):
    """A row of the log as it must be at rest."""

    content: Content
    root: Root
    is_erased: bool = False
    is_retracted: bool = False


def fold(events: Iterable[Event]) -> dict[UUID, FoldedRow]:
    """The rows that a set of valid events must become, by id.

    The order of the events does not matter, nor how often one occurs; of two events with one id
    the first one given counts.
    """
    events = list(events)
    erasures = Erasures().with_all(erasure_of(event) for event in events if isinstance(event, UserErased))
    retracted = retracted_rows(retraction_of(event) for event in events if is_retraction(event))
    contents: dict[UUID, Content] = {}
    erased: dict[UUID, bool] = {}
    overrides: dict[str, set[tuple[datetime, UUID, bool]]] = {}
    for event in events:
        if is_root_override(event):
            override = (utc_milliseconds(event.time), row_id(event), isinstance(event, RootAdopted))
            overrides.setdefault(event.data.job_id, set()).add(override)
        elif not is_override(event):
            left = erased_event(event, erasures)
            content = content_of(left)
            contents.setdefault(content.id, content)
            erased.setdefault(content.id, is_erased(left))
    adopted = {job for job, found in overrides.items() if max(found)[2]}
    facts = _Facts(contents.values(), adopted, retracted)
    return {
        row.id: FoldedRow(row, facts.root_of(row), erased[row.id], row.id in retracted)
        for row in contents.values()
    }


class _Facts:
    """The facts about jobs that the rows state: a retracted one that its job was seen, and nothing else."""

    def __init__(self, rows: Iterable[Content], adopted: set[str], retracted: frozenset[UUID]) -> None:
        claims: dict[str, list[Statement]] = {}
        declarations: dict[str, list[Statement]] = {}
        self.adopted = adopted
        self.retracted = retracted
        self.seen: set[str] = set()
        for row in rows:
            if row.job_id is None:
                continue
            self.seen.add(row.job_id)
            if row.id in retracted:
                continue
            if row.parent_job_id is not None:
                claims.setdefault(row.job_id, []).append(Statement(row.created_at, row.id, row.parent_job_id))
            if row.declared_root_job_id is not None:
                declarations.setdefault(row.job_id, []).append(
                    Statement(row.created_at, row.id, row.declared_root_job_id)
                )
        self.parent = _earliest(claims)
        self.declared = _earliest(declarations)

    def root_of(self, row: Content) -> Root:
        """Walk from the row's job, or its parent if it bears none, and see how the walk ends."""
        start = row.parent_job_id if row.job_id is None else row.job_id
        if start is None:
            return Root(None, Origin.UNTRACKED)
        conflict = (
            row.job_id is not None
            and row.id not in self.retracted
            and row.parent_job_id not in (None, self.parent.get(row.job_id))
        )
        walk: dict[str, None] = {}
        job = start
        while job not in walk:
            walk[job] = None
            if job not in self.seen:
                return replace(self._unseen_end(row, list(walk)), parent_conflict=conflict)
            if job not in self.parent:
                origin = Origin.ROOT if job == row.job_id else Origin.RESOLVED
                return Root(job, origin, parent_conflict=conflict)
            job = self.parent[job]
        passed = list(walk)
        return Root(None, Origin.CYCLE, name_cycle(passed[passed.index(job) :]), conflict)

    def _unseen_end(self, row: Content, walk: list[str]) -> Root:
        """The walk ended at a job that no row bears."""
        if walk[-1] in self.adopted:
            return Root(walk[-1], Origin.ADOPTED)
        if row.declared_root_job_id is not None and row.id not in self.retracted:
            return Root(row.declared_root_job_id, Origin.DECLARED)
        for job in walk:
            if job in self.declared:
                return Root(self.declared[job], Origin.DECLARED)
        return Root(None, Origin.PENDING)


def _earliest(statements: Mapping[str, list[Statement]]) -> dict[str, str]:
    return {job: min(found).named for job, found in statements.items()}
