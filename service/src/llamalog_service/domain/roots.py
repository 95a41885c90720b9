"""Roots for the rows of one batch: from the batch itself, then from facts about the jobs it names.

The fast path. It follows parents only inside the batch and takes the resolution of every other job from the
facts, which may be out of date by the time the rows are committed: the ingest verifies them after the commit
and has the difference recomputed. `fold` is the rule that both must agree with at rest.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.provenance import Origin
from llamalog_service.domain.lineage import OPEN, Root, Statement, name_cycle
from llamalog_service.domain.rows import Content


class Resolution(Struct, frozen=True, gc=False):
    """The end of a walk that starts at a job; never ROOT, which is a matter of the row."""

    root_job_id: str | None
    origin: Origin
    cycle_members: tuple[str, ...] | None = None


class JobFacts(Struct, frozen=True, gc=False):
    """The table's facts about a job. Of an unseen job only the resolution is known: pending or adopted."""

    seen: bool
    claim: Statement | None
    declaration: Statement | None
    resolution: Resolution


UNSEEN = JobFacts(seen=False, claim=None, declaration=None, resolution=Resolution(None, Origin.PENDING))


class Resolved(NamedTuple):
    """The outcome for a batch.

    Attributes:
        roots: the root of each row, in the rows' order.
        jobs: the facts of every job that a row of the batch bears, as they are once the batch is written.
        changed: those of them that were never seen before, or whose parent or declaration the batch changes.
        relied_on: the facts used of jobs that no row of the batch bears.
    """

    roots: list[Root]
    jobs: dict[str, JobFacts]
    changed: set[str]
    relied_on: dict[str, JobFacts]


def jobs_named(rows: Iterable[Content]) -> set[str]:
    """The jobs that rows bear or name as parent: those whose facts `resolve` needs."""
    named = {row.job_id for row in rows} | {row.parent_job_id for row in rows}
    named.discard(None)
    return named  # type: ignore[return-value]  # None has just been discarded


def resolve(
    rows: Sequence[Content], facts: Mapping[str, JobFacts], retracted: Collection[UUID] = ()
) -> Resolved:
    """The roots of a batch's rows.

    Args:
        rows: the batch's rows, each id once; those that are in the table already may be among them.
        facts: an entry for each of `jobs_named(rows)`.
        retracted: rows among them that are retracted in the table.
    """
    batch = _Batch(rows, facts, retracted)
    resolutions = {job: batch.resolution(job) for job in batch.claims}
    jobs = {
        job: JobFacts(True, claim, batch.declarations[job], resolutions[job])
        for job, claim in batch.claims.items()
    }
    return Resolved(
        roots=[batch.root_of(row) for row in rows],
        jobs=jobs,
        changed={job for job, now in jobs.items() if _differs(facts[job], now)},
        relied_on=batch.relied_on,
    )


def _differs(before: JobFacts, now: JobFacts) -> bool:
    if not before.seen or _named(before.claim) != _named(now.claim):
        return True
    return now.resolution.origin in OPEN and _named(before.declaration) != _named(now.declaration)


def _named(statement: Statement | None) -> str | None:
    return statement.named if statement is not None else None


class _Batch:
    """The batch's own claims and declarations, earlier ones from the facts included."""

    def __init__(
        self, rows: Sequence[Content], facts: Mapping[str, JobFacts], retracted: Collection[UUID]
    ) -> None:
        self.facts = facts
        self.retracted = retracted
        self.claims: dict[str, Statement | None] = {}
        self.declarations: dict[str, Statement | None] = {}
        self.relied_on: dict[str, JobFacts] = {}
        self._resolutions: dict[str, Resolution] = {}
        for row in rows:
            if row.job_id is not None:
                self._take(row, row.job_id)

    def _take(self, row: Content, job: str) -> None:
        claims, declarations = self.claims, self.declarations
        if job not in claims:
            known = self.facts[job]
            claims[job], declarations[job] = known.claim, known.declaration
        if self.retracted and row.id in self.retracted:
            return
        if row.parent_job_id is not None:
            claim = Statement(row.created_at, row.id, row.parent_job_id)
            earliest = claims[job]
            claims[job] = claim if earliest is None else min(earliest, claim)
        if row.declared_root_job_id is not None:
            declaration = Statement(row.created_at, row.id, row.declared_root_job_id)
            earliest = declarations[job]
            declarations[job] = declaration if earliest is None else min(earliest, declaration)

    def root_of(self, row: Content) -> Root:
        start = row.parent_job_id if row.job_id is None else row.job_id
        if start is None:
            return Root(None, Origin.UNTRACKED)
        states = row.id not in self.retracted
        resolution = self.resolution(start)
        root, origin = resolution.root_job_id, resolution.origin
        conflict = False
        if row.job_id is not None:
            claim = row.parent_job_id if states else None
            conflict = claim is not None and claim != _named(self.claims[row.job_id])
            if origin is Origin.RESOLVED and root == row.job_id:
                origin = Origin.ROOT
        if origin in OPEN and row.declared_root_job_id is not None and states:
            root, origin = row.declared_root_job_id, Origin.DECLARED
        return Root(root, origin, resolution.cycle_members, conflict)

    def resolution(self, start: str) -> Resolution:
        """Follow the batch's claims upward, then hand the end down to every job that was passed."""
        if (known := self._resolutions.get(start)) is not None:
            return known
        passed: list[str] = []
        places: dict[str, int] = {}
        job = start
        while True:
            if job in self._resolutions:
                end = self._resolutions[job]
                break
            if job in places:
                end = Resolution(None, Origin.CYCLE, name_cycle(passed[places[job] :]))
                break
            if job in self.claims:
                places[job] = len(passed)
                passed.append(job)
                claim = self.claims[job]
                if claim is None:
                    end = Resolution(job, Origin.RESOLVED)
                    break
                if claim.named in self.claims or claim.named in self.facts:
                    job = claim.named
                    continue
                end = self.facts[job].resolution  # an earlier claim, whose parent is not among the facts
            else:
                end = self._resolution_outside(job)
            if end.root_job_id not in self.claims or end.origin not in (Origin.RESOLVED, Origin.ADOPTED):
                break
            job = end.root_job_id  # the batch may give this root a parent, or be the first to see it
        for job in reversed(passed):
            declaration = self.declarations[job]
            if end.origin in OPEN and declaration is not None:
                end = Resolution(declaration.named, Origin.DECLARED)
            self._resolutions[job] = end
        return end

    def _resolution_outside(self, job: str) -> Resolution:
        known = self.facts[job]
        self.relied_on[job] = known
        return known.resolution
