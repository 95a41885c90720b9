"""Explanations in plain sentences, the same for the API, the pages and the command line."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from llamalog_schemas.provenance import Origin
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.rows import cut

if TYPE_CHECKING:
    from llamalog_service.queries.explanations import (
        ExplainedStep,
        RetractedEvent,
        StatedEvent,
        Verdict,
        Walk,
    )
    from llamalog_service.queries.retractions import StatedRetraction
    from llamalog_service.queries.root_changes import EventRef


_MAX_PRODUCER: Final = 200
"""Characters of a producer's name in a sentence."""


def step_sentences(step: "ExplainedStep") -> tuple[str, ...]:
    """A job of a chain: the claim that counts, those that lost or were retracted, overrides, declarations."""
    return (*_claims(step), *_retracted(step), *_overrides(step), *_declarations(step))


def _claims(step: "ExplainedStep") -> list[str]:
    if not step.seen:
        return [f"No event bears the job {step.job}: it is known because others name it."]
    winner = next((claim for claim in step.claims if claim.counts), None)
    if winner is None and any(one.parent is not None for one in step.retracted):
        return [f"No event of the job {step.job} names a parent that counts: the chain ends here."]
    if winner is None:
        return [f"No event of the job {step.job} names a parent: the chain ends here."]
    said = [f"The parent of {step.job} is {step.parent}, by its earliest claim: {_by(winner)}."]
    others = [claim for claim in step.claims if not claim.counts]
    said += [_lost(claim, winner) for claim in others if claim.named != step.parent]
    if same := sum(claim.named == step.parent for claim in others):
        said.append(f"{_number(same, 'later event names', 'later events name')} the same parent.")
    if (more := step.claim_count - len(step.claims)) > 0:
        said.append(f"{_number(more, 'event claims', 'events claim')} a parent later still, without effect.")
    return said


def _lost(claim: "StatedEvent", winner: "StatedEvent") -> str:
    is_later = claim.event.at > winner.event.at
    why = "it is later" if is_later else "it is of the same time, and its row id is the greater one"
    return f"The claim that its parent is {claim.named} does not count, since {why}: {_by(claim)}."


def _retracted(step: "ExplainedStep") -> list[str]:
    said = [_taken_away(one) for one in step.retracted]
    if (more := step.retracted_count - len(step.retracted)) > 0:
        said.append(f"{_number(more, 'more event', 'more events')} of it were retracted.")
    return said


def _taken_away(one: "RetractedEvent") -> str:
    stated = []
    if one.parent is not None:
        stated.append(f"the claim that its parent is {one.parent}")
    if one.declared is not None:
        stated.append(f"the declaration of the root {one.declared}")
    subject = " and ".join(stated)
    fails = "do not count, since they are" if len(stated) > 1 else "does not count, since it is"
    where = named_event(one.event, with_time=True)
    said = f"{subject[0].upper()}{subject[1:]} {fails} retracted: {where}."
    return f"{said}{taken_back(one.retraction)}"


def taken_back(retraction: "StatedRetraction | None") -> str:
    """A sentence to be appended, of who took an event back, when and why; empty where that is not known."""
    if retraction is None:
        return ""
    reason = retraction.reason.rstrip(".")
    return f" {retraction.requested_by} took it back at {_time(retraction.at)}: {reason}."


def _overrides(step: "ExplainedStep") -> list[str]:
    said = []
    for number, override in enumerate(step.overrides):
        did = "adopted it as a root" if override.adopted else "revoked its adoption"
        if step.seen:
            state = "It has lapsed, since an event bears the job"
        elif number:
            state = "A later override replaced it"
        else:
            state = "It is in effect"
        said.append(
            f"{override.requested_by} {did} at {_time(override.at)}: {override.reason.rstrip('.')}. {state}."
        )
    if (more := step.override_count - len(step.overrides)) > 0:
        said.append(f"{_number(more, 'earlier override', 'earlier overrides')} of it have no effect.")
    return said


def _declarations(step: "ExplainedStep") -> list[str]:
    said = []
    for declaration in step.declarations:
        if declaration.counts:
            said.append(f"Its earliest declaration names the root {declaration.named}: {_by(declaration)}.")
    if (more := step.declaration_count - 1) > 0:
        said.append(f"{_number(more, 'later declaration', 'later declarations')} of it do not count.")
    return said


def conclusion(
    row: Row | None,
    walk: "Walk",
    verdict: "Verdict | None",
    *,
    claimed: str | None,
    parent: str | None,
    retraction: "StatedRetraction | None",
) -> tuple[str, ...]:
    """The end of the walk, the rule that applies to it, and what contradicts it.

    Args:
        verdict: None if the chain is too long to be followed.
        claimed: the parent that the row claims for its job.
        parent: the parent of its job that counts.
        retraction: of the row, if it is retracted and the retraction is known.
    """
    if verdict is None:
        said = [
            f"The chain was followed over {len(walk.jobs):,} jobs and goes on. The stored root and origin "
            "are shown; the recompute follows a chain of any length."
        ]
    else:
        said = [_rule(walk, verdict)]
    if claimed is not None and claimed != parent:
        said.append(
            f"The row itself claims the parent {claimed}, and the claim that counts names "
            f"{parent or 'none'}: a conflict."
        )
    declared = None if row is None else row["declared_root_job_id"]
    root = None if verdict is None else verdict.root
    if declared is not None and root is not None and declared != root:
        said.append(f"The row itself declares the root {declared}; the chain outranks a declaration.")
    if row is not None and row["retracted"]:
        said.append(
            f"The row itself is retracted: it makes no claim and no declaration.{taken_back(retraction)}"
        )
    if row is not None and verdict is not None:
        said += _stored(row, verdict)
    return tuple(said)


_RULES: Final = {
    Origin.UNTRACKED: "The row names no job and no parent: its origin is unknown for good, UNTRACKED.",
    Origin.CYCLE: "The parents come back to a job already passed, {ring}, so that there is no top: CYCLE.",
    Origin.ROOT: (
        "The walk ends at {top}, its own job, which was seen and has no parent: it is its own root, ROOT."
    ),
    Origin.RESOLVED: (
        "The walk ends at {top}, which was seen and has no parent, so that it is the root: RESOLVED."
    ),
    Origin.ADOPTED: (
        "The walk ends at {top}, which was never seen, and an operator adopted it as a root: ADOPTED."
    ),
    Origin.DECLARED: (
        "The walk ends at {top}, which was never seen; {who} declares the root {root}: DECLARED."
    ),
    Origin.PENDING: (
        "The walk ends at {top}, which was never seen, and nothing on the way declares a root: PENDING. When "
        "its event comes, or an operator adopts it, the root is found."
    ),
}
_NAMED_MEMBERS: Final = 12


def _rule(walk: "Walk", verdict: "Verdict") -> str:
    ring = [*verdict.cycle[:_NAMED_MEMBERS]]
    if ring:
        ring += ["…"] if len(verdict.cycle) > _NAMED_MEMBERS else ring[:1]
    who = (
        "the row itself"
        if verdict.decided_by is None
        else f"the nearest job that has a declaration, {verdict.decided_by},"
    )
    return _RULES[verdict.origin].format(
        top=walk.jobs[-1] if walk.jobs else "", ring=" → ".join(ring), root=verdict.root, who=who
    )


def _stored(row: Row, verdict: "Verdict") -> list[str]:
    if row["origin"] is None:
        return [
            "Another program wrote the row, and it is not processed yet: the next sweep or backfill does."
        ]
    if (row["root_job_id"], row["origin"]) != (verdict.root, verdict.origin):
        stored = row["root_job_id"] or "no root"
        return [f"The table has {stored} ({row['origin']}) at the moment: a correction is on its way."]
    return []


def _by(statement: "StatedEvent") -> str:
    return named_event(statement.event, with_time=True)


def named_event(event: "EventRef", *, with_time: bool = False) -> str:
    """An event by its row, its operation and its producer."""
    of = f", of {_time(event.at)}" if with_time else ""
    return f"row {event.row}, {event.operation}{of}, {_producer(event)}"


def _producer(event: "EventRef") -> str:
    if event.producer is not None:
        return f"by {cut(event.producer, _MAX_PRODUCER)}"
    return "a legacy row without producer" if event.is_legacy else "of a producer that was not kept"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC"


def _number(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {many}"
