"""The report of a backfill: its plan against the expectation, and against the rows at the end."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import asdict

from llamalog_schemas.backfills import (
    BackfillReport,
    KeptAside,
    LiveChanges,
    Mismatch,
    NamedCycle,
    RootCounts,
)
from llamalog_schemas.commands import ExpectedCounts
from llamalog_schemas.provenance import Origin
from llamalog_service.backfill.backfill_store import Backfill
from llamalog_service.backfill.plan_store import CLASSES, PlanStore
from llamalog_service.postgres.statements import Row

_CYCLES_NAMED = 100
_MEMBERS_NAMED = 2000
_TOPS_NAMED = 100
"""The most that a report names, so that the event that carries it fits its topic."""


class Reconciled(NamedTuple):
    """The planned rows, compared with the log at the end."""

    end: RootCounts
    live: LiveChanges
    refused: int
    unexplained: int


def mismatches(plan: RootCounts, expected: ExpectedCounts | None) -> tuple[Mismatch, ...]:
    """The classes of which the plan has another number of rows than expected."""
    if expected is None:
        return ()
    found = asdict(plan) | {"rows": plan.rows}
    return tuple(
        Mismatch(name=name, expected=number, found=found[name])
        for name, number in asdict(expected).items()
        if number is not None and number != found[name]
    )


def mismatch_sentence(missed: Sequence[Mismatch]) -> str:
    """The error of a run whose plan does not meet the expectation."""
    differing = ", ".join(f"{miss.found} {miss.name} where {miss.expected} were expected" for miss in missed)
    return (
        f"The plan has {differing}. Nothing was changed. "
        "Look at the counts, correct the expectation or the scope, and start again."
    )


def unexplained_sentence(rows: int) -> str:
    """The error of a run with planned rows that differ from the plan for no known reason."""
    sentence = "1 row is not as planned although no recompute has touched it"
    if rows > 1:
        sentence = f"{rows} rows are not as planned although no recompute has touched them"
    return (
        f"{sentence}: another program writes roots into the table. What was written stays. "
        "Stop that program and start again."
    )


async def reconcile(plans: PlanStore) -> Reconciled:
    """Compare the planned rows with the log once more."""
    records = await plans.rows("plan_reconcile")
    live = _by_class(records, ("corrected", "removed"), "live_conflicts")
    return Reconciled(
        end=_by_class(records, ("as_planned",), "conflicts"),
        live=LiveChanges(
            corrected=sum(record["corrected"] for record in records),
            removed=sum(record["removed"] for record in records),
            by_class=live,
        ),
        refused=sum(record["refused"] for record in records),
        unexplained=sum(record["unexplained"] for record in records),
    )


def _by_class(records: Sequence[Row], columns: Sequence[str], conflicts: str) -> RootCounts:
    counts = {
        CLASSES[Origin(record["origin"])]: sum(record[column] for column in columns) for record in records
    }
    return RootCounts(**counts, conflicts=sum(record[conflicts] for record in records))


async def report_of(
    plans: PlanStore,
    backfill: Backfill,
    *,
    unpublished: int,
    missed: tuple[Mismatch, ...] = (),
    reconciled: Reconciled | None = None,
) -> BackfillReport | None:
    """The report of a backfill up to now, from its row and its plan; None if it has no plan."""
    if backfill.plan is None:
        return None
    cycles = await plans.cycles()
    tops = await plans.tops_to_adopt()
    (kept,) = await plans.rows("backfill_legacy_values")
    began = backfill.started_at or backfill.requested_at
    return BackfillReport(
        rows=backfill.plan.rows,
        plan=backfill.plan,
        end=reconciled.end if reconciled else None,
        mismatches=missed,
        to_set=backfill.to_set,
        set_=backfill.set,
        set_after_looking_again=backfill.set_by_verification,
        live=reconciled.live if reconciled else LiveChanges(),
        refused=reconciled.refused if reconciled else 0,
        unexplained=reconciled.unexplained if reconciled else 0,
        cycles=_named(cycles),
        cycles_found=len(cycles),
        adopted_jobs=tuple(tops[:_TOPS_NAMED]),
        adopted_jobs_found=len(tops),
        kept_aside=KeptAside(
            parents_cleared=kept["parents_cleared"], roots_overruled=kept["roots_overruled"]
        ),
        batches=backfill.batches,
        lock_timeouts=backfill.lock_timeouts,
        seconds=round((datetime.now(UTC) - began).total_seconds(), 3),
        untold=unpublished,
    )


def _named(cycles: Sequence[NamedCycle]) -> tuple[NamedCycle, ...]:
    named: list[NamedCycle] = []
    room = _MEMBERS_NAMED
    for cycle in cycles[:_CYCLES_NAMED]:
        room -= len(cycle.members)
        if room < 0:
            break
        named.append(cycle)
    return tuple(named)
