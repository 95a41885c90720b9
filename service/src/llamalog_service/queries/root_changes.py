"""The history of a row's root, with the causes of its changes, and what was believed at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from llamalog_schemas.commands import RecomputeReason
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.log.corrections import Cause, CauseKind
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.explanation_text import named_event
from llamalog_service.queries.retractions import MAX_REASON
from llamalog_service.queries.rows import cut, origin_of

MAX_CHANGES: Final = 50
"""Of a row that was corrected more often only the latest changes are returned."""


class EventRef(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event, by the row that it became.

    Attributes:
        at: the event's time, UTC.
        producer: its source; null for a legacy row, which has none, and for one recorded before producers
            were.
        is_legacy: whether the row was in the table before events were.
    """

    row: UUID
    at: datetime
    operation: str
    producer: str | None
    is_legacy: bool


class RootChange(Struct, frozen=True, kw_only=True, rename="camel"):
    """A change of a row's root or origin after its first recording.

    Attributes:
        revision: that the change made; null for the first origin of a row that was recorded without one.
        at: when it was made.
        old_root: null where it was not known, as `root`.
        cause: the part of the service that made it.
        run: the recompute or the backfill that did; of recomputes done together the one about the row.
        retraction: that was applied, or its revocation; of those applied together the nearest on the chain.
        job: of a recompute, the job on the row's chain that it was requested for; of a retraction that of
            the event.
        event: the event of that job that had been recorded last; or that was retracted.
        sentence: the cause in words.
    """

    revision: int | None
    at: datetime
    old_root: str | None
    old_origin: Origin | None
    root: str | None
    origin: Origin | None
    cause: CauseKind
    run: UUID | None
    retraction: UUID | None
    job: str | None
    event: EventRef | None
    sentence: str


class RootHistory(Struct, frozen=True, kw_only=True, rename="camel"):
    """The changes of a row's root, the latest first.

    Attributes:
        changes: the latest `MAX_CHANGES`.
        longer: whether there are more.
        since: changes before it are not kept.
        is_cut: whether the row may have had changes that are not kept.
    """

    changes: tuple[RootChange, ...]
    longer: bool
    since: datetime
    is_cut: bool


class Belief(Struct, frozen=True, kw_only=True, rename="camel"):
    """The root and origin that a row had at a time; both null: it was not processed yet.

    Attributes:
        at: that time.
    """

    at: datetime
    root: str | None
    origin: Origin | None


class HistoryTooShortError(LlamalogError):
    """A time lies before the beginning of the history."""

    def __init__(self, at: datetime, since: datetime) -> None:
        super().__init__(
            f"What was believed at {at:%Y-%m-%d %H:%M:%S %Z} is not known any more: the history of roots "
            f"begins at {since:%Y-%m-%d %H:%M:%S %Z}. Ask for that time or a later one. The setting "
            "LLAMALOG_HISTORY_DAYS of the migration consumer says how long changes are kept."
        )


async def require_history(reader: Reader, at: datetime) -> None:
    """Refuse a time before the beginning of the history.

    Raises:
        HistoryTooShortError: it is.
    """
    since = await reader.value("history_start")
    if at < since:
        raise HistoryTooShortError(at, since)


async def read_belief(reader: Reader, row: UUID, at: datetime) -> Belief | None:
    """The root and origin that a row had at a time; None if it was recorded later.

    Raises:
        HistoryTooShortError: the history does not reach back so far.
    """
    found = await reader.rows("roots_as_of", [row], at)
    await require_history(reader, at)  # afterwards: it may be cut meanwhile
    if not found:
        return None
    return Belief(at=at, root=found[0]["root_job_id"], origin=origin_of(found[0]["origin"]))


async def read_history(reader: Reader, row: Row, jobs: Sequence[str]) -> RootHistory:
    """The history of a row's root.

    Args:
        row: with `id`, `revision` and `recorded_at`.
        jobs: those on its chain, among which the causes are looked up.
    """
    records = await reader.rows("root_changes", row["id"], MAX_CHANGES + 1)
    since = await reader.value("history_start")
    changes = [await _change(reader, record, row["id"], list(jobs)) for record in records[:MAX_CHANGES]]
    oldest = records[-1]["revision"] if records else row["revision"] + 1
    return RootHistory(
        changes=tuple(changes),
        longer=len(records) > MAX_CHANGES,
        since=since,
        is_cut=oldest is not None and oldest > 2 and row["recorded_at"] < since,
    )


async def _change(reader: Reader, record: Row, row: UUID, jobs: list[str]) -> RootChange:
    cause = msgspec.json.decode(record["cause"], type=Cause)
    runs = (
        await reader.rows("runs_of_changes", list(cause.runs), jobs, record["changed_at"])
        if cause.runs
        else []
    )
    run = runs[0] if runs else None
    retractions = (
        await reader.rows("retractions_of_changes", list(cause.retractions), jobs, row, MAX_REASON + 1)
        if cause.retractions
        else []
    )
    retraction = retractions[0] if retractions else None
    event = None
    if run is not None and run["event"] is not None and run["reason"] != RecomputeReason.ADOPTION_CHANGED:
        event = event_ref(run, id_column="event", at_column="event_at")
    elif retraction is not None:
        event = event_ref(retraction, id_column="event", at_column="event_at")
    about = retraction if run is None else run
    return RootChange(
        revision=record["revision"],
        at=record["changed_at"],
        old_root=record["old_root_job_id"],
        old_origin=origin_of(record["old_origin"]),
        root=record["root_job_id"],
        origin=origin_of(record["origin"]),
        cause=cause.kind,
        run=None if run is None else run["id"],
        retraction=None if retraction is None else retraction["id"],
        job=None if about is None else about["job"],
        event=event,
        sentence=_cause_sentence(cause, run, retraction, event),
    )


def event_ref(record: Row, *, id_column: str = "id", at_column: str = "at") -> EventRef:
    """An event from a query that also selects `operation`, `producer` and `is_legacy`."""
    return EventRef(
        row=record[id_column],
        at=record[at_column],
        operation=record["operation"],
        producer=record["producer"],
        is_legacy=record["is_legacy"],
    )


_REASONS: Final = {
    RecomputeReason.PARENT_CHANGED: "an event decided or changed the parent of {job}",
    RecomputeReason.ROOT_DISAGREES: "a row below {job} was written before an event on its chain was read",
    RecomputeReason.ADOPTION_CHANGED: "an operator adopted {job} as a root, or took that back",
}


def _cause_sentence(cause: Cause, run: Row | None, retraction: Row | None, event: EventRef | None) -> str:
    match cause.kind:
        case CauseKind.BACKFILL:
            return f"The backfill {_number_of(cause)}{_requested_by(run)}."
        case CauseKind.VERIFICATION:
            return (
                f"The check at the end of the backfill {_number_of(cause)}{_requested_by(run)}: the row was "
                "recorded, or its chain changed, while it ran."
            )
        case CauseKind.SWEEP:
            return "A sweep found that it differed from the rule."
        case CauseKind.REPAIR:
            return "A rebuild from the topics repaired it."
        case CauseKind.RETRACTION:
            return _retraction_sentence(retraction, event)
        case _:
            return _recompute_sentence(run, event) if cause.runs else "A recompute."


def _retraction_sentence(retraction: Row | None, event: EventRef | None) -> str:
    if retraction is None or event is None:
        return "A retraction of an event that is not on its chain any more."
    did = "took back" if retraction["retracted"] else "revoked the retraction of"
    said = f"{retraction['requested_by']} {did} the event of {named_event(event)}"
    return f"{said}: {cut(retraction['reason'], MAX_REASON).rstrip('.')}."


def _recompute_sentence(run: Row | None, event: EventRef | None) -> str:
    if run is None or run["job"] is None:
        return "A recompute of jobs that are not on its chain any more."
    if run["reason"] == RecomputeReason.ADOPTION_CHANGED and run["adopted"] is not None:
        did = "adopted {job} as a root" if run["adopted"] else "revoked the adoption of {job}"
        return f"{run['overridden_by']} {did.format(job=run['job'])}: {run['override_reason'].rstrip('.')}."
    reason = _REASONS.get(run["reason"], "a recompute was requested for {job}").format(job=run["job"])
    said = f" ({named_event(event)})" if event is not None else ""
    return f"{reason[0].upper()}{reason[1:]}{said}."


def _number_of(cause: Cause) -> str:
    return ", ".join(map(str, cause.runs))


def _requested_by(run: Row | None) -> str:
    return "" if run is None or not run["requested_by"] else f", requested by {run['requested_by']}"
