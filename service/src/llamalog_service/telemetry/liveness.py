"""Does a consumer get on? A judgement over what was seen of it; pure.

Waiting is no stall: while Kafka or PostgreSQL is away nothing can get on, and a restart would cure nothing.
So every limits is counted from when something was last away. What is left, nothing away and yet no
progress, is a defect somewhere: the process says so and ends, and is started again by whoever started it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from llamalog_service.domain.errors import ExitCode


class Seen(NamedTuple):
    """A consumer at one moment. Counters only rise; what matters is that they do.

    Attributes:
        beats: turns of the event loop.
        polls: fetches that came back from Kafka's client, empty or not.
        commits: offsets that Kafka has taken.
        failures: tries that ended because something was away.
        is_joined: whether the group has told this consumer its partitions; none is an answer too.
        has_work: whether something is in hand, or left to fetch.
        away: what does not answer when asked.
        waiting_for: what cannot be done at the moment.
        failed: the code of an error that ends the process; None while there is none.
        is_leaving: whether the process was told to end.
    """

    beats: int = 0
    polls: int = 0
    commits: int = 0
    failures: int = 0
    is_joined: bool = False
    has_work: bool = False
    away: Sequence[str] = ()
    waiting_for: Sequence[str] = ()
    failed: ExitCode | None = None
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class Since:
    """Since when things are as they were seen last; seconds of a clock that stands while the watcher does."""

    seen: Seen
    beat: float
    poll: float
    progress: float
    joining: float
    away: float
    failed: float


class Health(NamedTuple):
    """What is to be told, and done.

    Attributes:
        stalled: why the process has to be started again; empty while it gets on.
        unready: why it does not do its work at the moment; empty while it does.
        ends_with: the code to end it with, now; None: it may go on, or is ending by itself.
    """

    stalled: tuple[str, ...]
    unready: tuple[str, ...]
    ends_with: ExitCode | None


class StallLimits(NamedTuple):
    """Seconds.

    Attributes:
        stall: without progress while nothing is away.
        last_words: between saying that it is stalled and ending, for whoever asks.
        leaving: for a process that has failed and is ending in good order.
    """

    stall: float
    last_words: float = 3.0
    leaving: float = 60.0


def begin(seen: Seen, now: float) -> Since:
    """The first look."""
    return Since(seen, beat=now, poll=now, progress=now, joining=now, away=now, failed=now)


def look(before: Since, seen: Seen, now: float) -> Since:
    """A further look."""
    last = before.seen
    since = replace(before, seen=seen)
    if seen.beats != last.beats:
        since = replace(since, beat=now)
    if seen.polls != last.polls:
        since = replace(since, poll=now)
    if seen.commits != last.commits or not seen.has_work or not seen.is_joined:
        since = replace(since, progress=now)
    if seen.is_joined:
        since = replace(since, joining=now)
    if seen.away or seen.failures != last.failures:
        since = replace(since, away=now)
    if seen.failed is None:
        since = replace(since, failed=now)
    return since


def judge(since: Since, now: float, limits: StallLimits) -> Health:
    """The health of a consumer as it was seen last."""
    seen = since.seen
    if seen.failed is not None:
        overdue = now - since.failed > limits.leaving
        return Health(("it has failed and is ending",), ("it is ending",), seen.failed if overdue else None)
    if seen.is_leaving:
        return Health((), ("it was told to end",), None)
    stalls = _stalls(since, now)
    stalled = tuple(why for why, seconds in stalls if seconds > limits.stall)
    is_over = any(seconds > limits.stall + limits.last_words for _, seconds in stalls)
    return Health(stalled, stalled + _reasons_to_wait(seen), ExitCode.STALLED if is_over else None)


def _stalls(since: Since, now: float) -> list[tuple[str, float]]:
    """Each thing that must go on, and for how long it has not though it could."""

    def seconds(last: float) -> float:
        return now - max(last, since.away)

    return [
        # Whatever is away, the loop turns: nothing in it may wait but by handing over.
        (f"the event loop has been stuck for {now - since.beat:.0f} s", now - since.beat),
        (f"nothing was polled for {seconds(since.poll):.0f} s", seconds(since.poll)),
        (f"it has not joined its group for {seconds(since.joining):.0f} s", seconds(since.joining)),
        (
            f"there is work, and no offset was committed for {seconds(since.progress):.0f} s",
            seconds(since.progress),
        ),
    ]


def _reasons_to_wait(seen: Seen) -> tuple[str, ...]:
    return (
        *(f"{name} does not answer" for name in seen.away),
        *(f"waiting: {doing}" for doing in seen.waiting_for),
        *(() if seen.is_joined else ("it has no place in its group yet",)),
    )
