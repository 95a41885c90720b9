"""Liveness and readiness of a consumer, derived from successive snapshots of it; pure.

Waiting is no stall: while Kafka or PostgreSQL does not answer no progress is possible, and a restart would
cure nothing. So every limit is counted from when something was last away. What is left, nothing away and yet
no progress, is a defect: the process logs it and exits, and its supervisor starts it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from llamalog_service.domain.errors import ExitCode


class Snapshot(NamedTuple):
    """A consumer at one moment. Counters only rise; their absolute values mean nothing.

    Attributes:
        heartbeats: turns of the event loop.
        polls: fetches that returned from Kafka's client, empty or not.
        commits: offset commits that Kafka has accepted.
        failures: attempts that ended because something was away.
        is_joined: whether the group has assigned partitions to this consumer; an empty assignment counts.
        has_work: whether a batch is in flight, or messages are left to fetch.
        away: the servers that do not answer a probe.
        waiting_for: the actions that are being retried.
        failed: the code of an error that ends the process; None while there is none.
        is_stopping: whether the process was requested to stop.
    """

    heartbeats: int = 0
    polls: int = 0
    commits: int = 0
    failures: int = 0
    is_joined: bool = False
    has_work: bool = False
    away: Sequence[str] = ()
    waiting_for: Sequence[str] = ()
    failed: ExitCode | None = None
    is_stopping: bool = False


@dataclass(frozen=True, slots=True)
class LastChanges:
    """Times of the last progress of each kind, or of its last excuse; in seconds of the monitor's clock."""

    latest: Snapshot
    heartbeat: float
    poll: float
    progress: float
    joined: float
    away: float
    failed: float


class Health(NamedTuple):
    """The answers of `/livez` and `/readyz`, and whether to end the process.

    Attributes:
        stalled: why the process has to be restarted; empty while it is live.
        unready: why it does not do its work at the moment; empty while it does.
        ends_with: the code to exit with at once; None while the process may go on, or is stopping by itself.
    """

    stalled: tuple[str, ...]
    unready: tuple[str, ...]
    ends_with: ExitCode | None


class StallLimits(NamedTuple):
    """Limits in seconds.

    Attributes:
        stall: without progress while nothing is away.
        grace: between the report of a stall and the exit, in which `/livez` answers 503.
        shutdown: for a process that has failed and is shutting down in good order.
    """

    stall: float
    grace: float = 3.0
    shutdown: float = 60.0


def begin(snapshot: Snapshot, now: float) -> LastChanges:
    """The state after the first snapshot."""
    return LastChanges(snapshot, heartbeat=now, poll=now, progress=now, joined=now, away=now, failed=now)


def advance(changes: LastChanges, snapshot: Snapshot, now: float) -> LastChanges:
    """The state after a further snapshot."""
    before = changes.latest
    changes = replace(changes, latest=snapshot)
    if snapshot.heartbeats != before.heartbeats:
        changes = replace(changes, heartbeat=now)
    if snapshot.polls != before.polls:
        changes = replace(changes, poll=now)
    if snapshot.commits != before.commits or not snapshot.has_work or not snapshot.is_joined:
        changes = replace(changes, progress=now)
    if snapshot.is_joined:
        changes = replace(changes, joined=now)
    if snapshot.away or snapshot.failures != before.failures:
        changes = replace(changes, away=now)
    if snapshot.failed is None:
        changes = replace(changes, failed=now)
    return changes


def assess(changes: LastChanges, now: float, limits: StallLimits) -> Health:
    """The health of a consumer by its latest snapshot."""
    latest = changes.latest
    if latest.failed is not None:
        is_overdue = now - changes.failed > limits.shutdown
        ends_with = latest.failed if is_overdue else None
        return Health(("it has failed and is ending",), ("it is ending",), ends_with)
    if latest.is_stopping:
        return Health((), ("it is ending, as requested",), None)
    stalls = _stalls(changes, now)
    stalled = tuple(reason for reason, seconds in stalls if seconds > limits.stall)
    is_over = any(seconds > limits.stall + limits.grace for _, seconds in stalls)
    return Health(stalled, stalled + _reasons_to_wait(latest), ExitCode.STALLED if is_over else None)


def _stalls(changes: LastChanges, now: float) -> list[tuple[str, float]]:
    """Each kind of progress, and the seconds for which there was none though nothing was away."""

    def seconds(last: float) -> float:
        return now - max(last, changes.away)

    return [
        # An outage is no excuse for the event loop: nothing may block it.
        (f"the event loop has been stuck for {now - changes.heartbeat:.0f} s", now - changes.heartbeat),
        (f"nothing was polled for {seconds(changes.poll):.0f} s", seconds(changes.poll)),
        (f"it has not joined its group for {seconds(changes.joined):.0f} s", seconds(changes.joined)),
        (
            f"there is work, and no offset was committed for {seconds(changes.progress):.0f} s",
            seconds(changes.progress),
        ),
    ]


def _reasons_to_wait(snapshot: Snapshot) -> tuple[str, ...]:
    return (
        *(f"{name} does not answer" for name in snapshot.away),
        *(f"waiting: {doing}" for doing in snapshot.waiting_for),
        *(() if snapshot.is_joined else ("its group has not assigned partitions yet",)),
    )
