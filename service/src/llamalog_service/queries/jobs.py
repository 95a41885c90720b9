"""Queries about a job: the jobs below it, the chain above it, its state as a root."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.provenance import CategoryLabel, EntityTypeLabel, Origin, StatusLabel
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.as_of import read_past
from llamalog_service.queries.lineages import MAX_ABOVE, LineageEntry, Parents, lineage_page, read_parents
from llamalog_service.queries.paging import DEFAULT_LIMIT, MAX_BYTES, OLDEST, Cursor, Page, at_most, next_of
from llamalog_service.queries.rows import MAX_NAME, cut, origin_of, struct_of

COUNTED = 1_000
"""Rows and children of a job are counted up to here."""

MAX_LINKS = 1_000
"""Of a longer chain only the links next to the job are returned."""


class Tree(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that a job led to, itself included: oldest first, of equal times those higher up first.

    Attributes:
        entries: their depths are below the real top, also where the job is none.
        parents: of every job in the entries and of every job above one, of the nearest `MAX_ABOVE`.
        longer: whether there are more above; depths are then below the topmost one returned.
        next: the cursor of the next page; null at the end.
    """

    job: str
    entries: tuple[LineageEntry, ...]
    parents: Parents
    longer: bool
    next: str | None


class JobSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """A job in a line.

    Attributes:
        job: null for a row that names a parent and no job.
        seen: whether an event bears the job; if none does, all that is known is its name.
        name: the title or the name in its first event; of a long one the beginning.
        category: of its first event, as are operation and entity.
        status: of its last event.
        rows: of the job itself, counted to `COUNTED`.
        failed: how many of those are failures.
        children: jobs directly below it, and rows without a job that name it; counted to `COUNTED`.
        retracted: whether its first event was taken back.
    """

    job: str | None
    seen: bool
    name: str | None
    category: CategoryLabel | None
    status: StatusLabel | None
    operation: str | None
    entity_type: EntityTypeLabel | None
    entity_id: UUID | None
    rows: int
    failed: int
    children: int
    first_at: datetime | None
    last_at: datetime | None
    retracted: bool


class Chain(Struct, frozen=True, kw_only=True, rename="camel"):
    """The chain of jobs that triggered a job, up to the top.

    Attributes:
        links: the topmost first, the job itself last; on a cycle from the job whose parent comes next again.
        longer: whether there are more above than are returned.
        root: of the job's rows; null if it is not known.
        origin: how the root is known, or why it is not; null for a job never seen.
        cycle: the members of the cycle that the job is on, or hangs off.
    """

    job: str
    links: tuple[JobSummary, ...]
    longer: bool
    root: str | None
    origin: Origin | None
    cycle: tuple[str, ...]


class CurrentOverride(Struct, frozen=True, kw_only=True, rename="camel"):
    """The override of a job that counts, of those that the consumer has read.

    Attributes:
        overridden_at: UTC.
    """

    adopted: bool
    reason: str
    requested_by: str
    overridden_at: datetime


class JobState(Struct, frozen=True, kw_only=True, rename="camel"):
    """A job as the log knows it.

    Attributes:
        seen_since: the time of its earliest event, UTC; None if it was never seen.
        is_named: whether a row names it as its parent.
        override: None if it was never adopted.
    """

    seen_since: datetime | None
    is_named: bool
    override: CurrentOverride | None


async def read_tree(
    reader: Reader,
    job: str,
    *,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
    brief: bool = False,
    as_of: datetime | None = None,
) -> Tree:
    """Everything under a job, a page at a time; without entries for a job that no row bears or names.

    Of a root that is what has it as its root. Of any other job it is what hangs on it by the claims that
    count, found by one walk downwards.

    Args:
        brief: whether long values are cut, or left out, as lists show them.
        as_of: with the roots and claims of this time; None: of now.

    Raises:
        HistoryTooShortError: the history does not reach back to `as_of`.
    """
    limit, position = at_most(limit), after or OLDEST
    start = (position.at, not position.is_root_job, position.row)
    values = (*start, limit + 1, MAX_BYTES, MAX_ABOVE, job)
    if as_of is None:
        page = lineage_page(await reader.rows("tree", *values, brief=brief), limit, brief=brief)
    else:
        past = await read_past(reader, await reader.rows("tree_as_of", *values, as_of, brief=brief), as_of)
        page = lineage_page(past.records, limit, brief=brief, parents=past.parents)
    return Tree(job=job, **page._asdict())


async def read_children(
    reader: Reader, job: str, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[JobSummary]:
    """The jobs directly below, by the time of the claim that put them there."""
    limit, position = at_most(limit), after or OLDEST
    found = await reader.rows("children", job, position.at, position.row, limit + 1)
    kept = found[:limit]
    jobs = [child["job_id"] for child in kept]
    summaries = await read_job_summaries(reader, [job for job in jobs if job is not None])
    items = tuple(
        _row_alone(child) if job is None else summaries[job] for job, child in zip(jobs, kept, strict=True)
    )
    return Page(items=items, next=next_of(found, limit))


async def read_chain(reader: Reader, job: str) -> Chain:
    """Read the chain that triggered a job: its parent, that one's parent, up to the topmost job named."""
    parents = await read_parents(reader, {job}, most=MAX_LINKS)
    upwards: dict[str, None] = {}
    link: str | None = job
    while link is not None and link not in upwards and len(upwards) < MAX_LINKS:
        upwards[link] = None
        link = parents[link]
    summaries = await read_job_summaries(reader, list(upwards))
    own = await reader.rows("job_root", job)
    return Chain(
        job=job,
        links=tuple(summaries[above] for above in reversed(upwards)),
        longer=link is not None and link not in upwards,
        root=own[0]["root_job_id"] if own else None,
        origin=origin_of(own[0]["origin"]) if own else None,
        cycle=tuple(own[0]["cycle_members"] or ()) if own else (),
    )


async def read_job_summaries(reader: Reader, jobs: list[str]) -> dict[str, JobSummary]:
    """Each of these jobs in a line."""
    if not jobs:
        return {}
    return {record["job"]: _summary(record) for record in await reader.rows("job_summaries", jobs, COUNTED)}


async def read_job_state(reader: Reader, job: str) -> JobState:
    """Read the state of a job that may be adopted."""
    found = await reader.row("job_state", job)
    override = None if found["adopted"] is None else struct_of(CurrentOverride, found)
    return struct_of(JobState, found, override=override)


def _summary(record: Row) -> JobSummary:
    seen = record["first_at"] is not None
    return struct_of(JobSummary, record, seen=seen, name=cut(record["name"], MAX_NAME))


def _row_alone(record: Row) -> JobSummary:
    job = {"job": None, "first_at": record["created_at"], "last_at": record["created_at"]}
    counts = {"rows": 1, "failed": int(record["is_failure"]), "children": 0}
    return _summary({**record, **job, **counts})
