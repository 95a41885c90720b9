"""Explanations of roots: the chain, the events behind its steps, the rule that applies, what was before."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.provenance import Origin
from llamalog_service.domain.lineage import name_cycle
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.explanation_text import conclusion, step_sentences
from llamalog_service.queries.retractions import Retractions, StatedRetraction, read_retractions_of
from llamalog_service.queries.root_changes import EventRef, RootHistory, event_ref, read_history
from llamalog_service.queries.rows import origin_of

MAX_WALK: Final = 10_000
"""A chain is followed over so many jobs; of a longer one the stored root is explained."""

SHOWN_STEPS: Final = 20
"""Of a longer chain the steps at each of its ends are shown."""

SHOWN_STATEMENTS: Final = 5
COUNTED: Final = 1_000
"""Claims, declarations and overrides of a job are counted up to here."""


class StatedEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """A claim or a declaration about a job, with the event that made it.

    Attributes:
        named: the parent that it claims, or the root that it declares.
        counts: whether it is the one that counts: the earliest by time, then by row id.
    """

    event: EventRef
    named: str
    counts: bool


class RetractedEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """A retracted event of a job: neither its claim nor its declaration counts.

    Attributes:
        parent: that it claims; null if none.
        declared: the root that it declares; null if none.
        retraction: the latest; null if the table has none.
    """

    event: EventRef
    parent: str | None
    declared: str | None
    retraction: StatedRetraction | None


class StatedOverride(Struct, frozen=True, kw_only=True, rename="camel"):
    """An operator's override of a job's root.

    Attributes:
        adopted: false for the revocation of an adoption.
        in_effect: whether it decides: the latest, of a job that no event bears.
    """

    id: UUID
    at: datetime
    adopted: bool
    reason: str
    requested_by: str
    in_effect: bool


class ExplainedStep(Struct, frozen=True, kw_only=True, rename="camel"):
    """A job on the chain.

    Attributes:
        seen: whether an event bears it.
        first: its first event.
        parent: by the claim that counts; null at the end of the chain.
        claims: the earliest `SHOWN_STATEMENTS`; `claim_count` has the number of all.
        declarations: likewise.
        overrides: likewise, the latest first.
        retracted: likewise, of the job's earliest `COUNTED` events those that were retracted and claim or
            declare something.
        sentences: the step in words.
    """

    job: str
    seen: bool
    first: EventRef | None
    parent: str | None
    claims: tuple[StatedEvent, ...]
    claim_count: int
    declarations: tuple[StatedEvent, ...]
    declaration_count: int
    overrides: tuple[StatedOverride, ...]
    override_count: int
    retracted: tuple[RetractedEvent, ...]
    retracted_count: int
    sentences: tuple[str, ...]


class Explanation(Struct, frozen=True, kw_only=True, rename="camel"):
    """The reasons for a row's root and origin.

    Attributes:
        row: null for a job that no event bears.
        job: of the row; or the requested one.
        root: by the rule; null if it is not known.
        origin: how it is known, or why it is not.
        stored_root: as the table has it; another one is corrected soon.
        stored_origin: likewise; null for a row that is not processed yet.
        cycle: the members of the cycle at which the walk ends.
        parent_conflict: whether the row claims another parent than the one that counts.
        retracted: whether the row is retracted: it makes no claim and no declaration.
        retraction: the latest of the row; null if it is not retracted.
        steps: the chain from the row's job, or the parent that it names, upwards.
        skipped: steps in the middle of a long chain that are not among `steps`.
        longer: whether the chain was too long to be followed to its end: root and origin are the stored ones.
        conclusion: how the walk ends and which rule applies, in words.
        history: of the row; null for a job that no event bears.
    """

    row: UUID | None
    job: str | None
    root: str | None
    origin: Origin | None
    stored_root: str | None
    stored_origin: Origin | None
    cycle: tuple[str, ...]
    parent_conflict: bool
    retracted: bool
    retraction: StatedRetraction | None
    steps: tuple[ExplainedStep, ...]
    skipped: int
    longer: bool
    conclusion: tuple[str, ...]
    history: RootHistory | None


class Verdict(NamedTuple):
    """The end of a walk, and what it means for the row.

    Attributes:
        decided_by: the job whose earliest declaration is the root; None if it is not one of a job's.
    """

    root: str | None
    origin: Origin
    cycle: tuple[str, ...] = ()
    decided_by: str | None = None


class Walk(NamedTuple):
    """The jobs from a start upwards.

    Attributes:
        jobs: in order, each once.
        facts: about each of them, as `explain_walk` has them.
        longer: whether there are more.
    """

    jobs: tuple[str, ...]
    facts: Mapping[str, Row]
    longer: bool


async def explain_row(reader: Reader, row: UUID) -> Explanation | None:
    """The explanation of a row; None where there is none."""
    found = await reader.rows("explain_row", row, None)
    return await _explain(reader, found[0], found[0]["job_id"]) if found else None


async def explain_job(reader: Reader, job: str) -> Explanation | None:
    """The explanation of a job by its earliest row, or of one that others name; None for an unknown one."""
    found = await reader.rows("explain_row", None, job)
    if found:
        return await _explain(reader, found[0], job)
    explained = await _explain(reader, None, job)
    own = explained.steps[0]
    state = await reader.row("job_state", job)
    return explained if state["is_named"] or own.overrides else None


async def _explain(reader: Reader, row: Row | None, job: str | None) -> Explanation:
    start = job if row is None else (row["claimed"] if job is None else job)
    walk = Walk((), {}, longer=False) if start is None else await read_walk(reader, start)
    verdict = None if walk.longer else verdict_of(row, job, walk)
    shown, skipped = _shown(walk.jobs)
    details = await reader.rows("explain_steps", shown, SHOWN_STATEMENTS, COUNTED) if shown else ()
    retractions = await _read_retractions(reader, row, details)
    retraction = None if row is None else retractions.get(row["id"])
    stored_root = None if row is None else row["root_job_id"]
    stored_origin = None if row is None else origin_of(row["origin"])
    root, origin = (stored_root, stored_origin) if verdict is None else (verdict.root, verdict.origin)
    cycle = verdict.cycle if verdict is not None else tuple(() if row is None else row["cycle_members"] or ())
    claimed = None if row is None or job is None else row["claimed"]
    parent = walk.facts[job]["parent"] if job is not None and job in walk.facts else None
    return Explanation(
        row=None if row is None else row["id"],
        job=job,
        root=root,
        origin=origin,
        stored_root=stored_root,
        stored_origin=stored_origin,
        cycle=cycle,
        parent_conflict=claimed is not None and claimed != parent,
        retracted=row is not None and row["retracted"],
        retraction=retraction,
        steps=tuple(_step(walk.facts[one], details, retractions) for one in shown),
        skipped=skipped,
        longer=walk.longer,
        conclusion=conclusion(row, walk, verdict, claimed=claimed, parent=parent, retraction=retraction),
        history=None if row is None else await read_history(reader, row, shown),
    )


async def _read_retractions(reader: Reader, row: Row | None, details: Sequence[Row]) -> Retractions:
    """Those of the row and of the events on its chain that are retracted: no query, if none is."""
    retracted = {record["id"] for record in details if record["kind"] == "retracted"}
    if row is not None and row["retracted"]:
        retracted.add(row["id"])
    return await read_retractions_of(reader, retracted) if retracted else {}


async def read_walk(reader: Reader, start: str) -> Walk:
    """The jobs from one upwards: one query, however long the chain."""
    records = await reader.rows("explain_walk", start, MAX_WALK + 1)
    facts = {record["job"]: record for record in records}
    jobs: dict[str, None] = {}
    job: str | None = start
    while job is not None and job in facts and job not in jobs and len(jobs) < MAX_WALK:
        jobs[job] = None
        job = facts[job]["parent"]
    return Walk(tuple(jobs), facts, longer=job is not None and job not in jobs)


def verdict_of(row: Row | None, job: str | None, walk: Walk) -> Verdict:
    """The verdict of the table of origins on a walk that was followed to its end."""
    if not walk.jobs:
        return Verdict(None, Origin.UNTRACKED)
    top = walk.jobs[-1]
    end = walk.facts[top]
    if end["parent"] is not None:
        return Verdict(None, Origin.CYCLE, name_cycle(list(walk.jobs[walk.jobs.index(end["parent"]) :])))
    if end["is_seen"]:
        return Verdict(top, Origin.ROOT if top == job else Origin.RESOLVED)
    return Verdict(top, Origin.ADOPTED) if end["adopted"] else _open_verdict(row, walk)


def _open_verdict(row: Row | None, walk: Walk) -> Verdict:
    """The verdict where the walk ends at a job that was neither seen nor adopted."""
    if row is not None and row["declared_root_job_id"] is not None:
        return Verdict(row["declared_root_job_id"], Origin.DECLARED)
    for passed in walk.jobs:
        if (declared := walk.facts[passed]["declared"]) is not None:
            return Verdict(declared, Origin.DECLARED, decided_by=passed)
    return Verdict(None, Origin.PENDING)


def _shown(jobs: Sequence[str]) -> tuple[list[str], int]:
    if len(jobs) <= 2 * SHOWN_STEPS:
        return list(jobs), 0
    return [*jobs[:SHOWN_STEPS], *jobs[-SHOWN_STEPS:]], len(jobs) - 2 * SHOWN_STEPS


def _step(facts: Row, details: Sequence[Row], retractions: Retractions) -> ExplainedStep:
    own = [record for record in details if record["job"] == facts["job"]]
    kinds = {kind: [record for record in own if record["kind"] == kind] for kind in _KINDS}
    first = kinds["first"]
    overrides = tuple(
        StatedOverride(
            id=record["id"],
            at=record["at"],
            adopted=record["adopted"],
            reason=record["reason"],
            requested_by=record["requested_by"],
            in_effect=number == 0 and not facts["is_seen"],
        )
        for number, record in enumerate(kinds["override"])
    )
    step = ExplainedStep(
        job=facts["job"],
        seen=facts["is_seen"],
        first=event_ref(first[0]) if first else None,
        parent=facts["parent"],
        claims=_statements(kinds["claim"], facts["claim"]),
        claim_count=_total(kinds["claim"]),
        declarations=_statements(kinds["declaration"], facts["declaration"]),
        declaration_count=_total(kinds["declaration"]),
        overrides=overrides,
        override_count=_total(kinds["override"]),
        retracted=tuple(
            RetractedEvent(
                event=event_ref(record),
                parent=record["named"],
                declared=record["declared"],
                retraction=retractions.get(record["id"]),
            )
            for record in kinds["retracted"]
        ),
        retracted_count=_total(kinds["retracted"]),
        sentences=(),
    )
    return _with_sentences(step)


_KINDS: Final = ("first", "claim", "declaration", "override", "retracted")


def _with_sentences(step: ExplainedStep) -> ExplainedStep:
    values = {name: getattr(step, name) for name in step.__struct_fields__}
    return ExplainedStep(**values | {"sentences": step_sentences(step)})


def _statements(records: Sequence[Row], counts: UUID | None) -> tuple[StatedEvent, ...]:
    return tuple(
        StatedEvent(event=event_ref(record), named=record["named"], counts=record["id"] == counts)
        for record in records
    )


def _total(records: Sequence[Row]) -> int:
    return records[0]["total"] if records else 0
