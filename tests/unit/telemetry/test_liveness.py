"""When a consumer counts as stalled, when as waiting: the judgement, moment by moment."""

from collections.abc import Iterable

import pytest

from llamalog_service.domain.errors import ExitCode
from llamalog_service.telemetry.liveness import Health, Snapshot, StallLimits, advance, assess, begin

TIMEOUT = StallLimits(stall=60, grace=3, shutdown=30)
IDLE = Snapshot(is_joined=True)


def after(moments: Iterable[tuple[float, Snapshot]]) -> Health:
    """The health at the last of these moments, the first of which is the first look."""
    (start, first), *rest = moments
    since, now = begin(first, start), start
    for now, seen in rest:
        since = advance(since, seen, now)
    return assess(since, now, TIMEOUT)


def each_second(seconds: int, seen: Snapshot, every: int = 1, **rising: int) -> list[tuple[float, Snapshot]]:
    """The same thing seen for so long, at an interval of `every` seconds, the named counters rising."""
    return [
        (float(at), Snapshot(**{**seen._asdict(), **{name: by * at for name, by in rising.items()}}))
        for at in range(0, seconds + 1, every)
    ]


def test_an_idle_consumer_that_polls_is_live_and_ready() -> None:
    assert after(each_second(1000, IDLE, heartbeats=1, polls=1)) == Health((), (), None)


def test_a_consumer_to_whom_the_group_gave_no_partition_is_ready() -> None:
    """It takes over when another one goes."""
    assert after(each_second(1000, IDLE, heartbeats=1, polls=1)).unready == ()


def test_a_busy_consumer_whose_commits_go_on_is_live() -> None:
    busy = IDLE._replace(has_work=True)
    assert after(each_second(1000, busy, heartbeats=1, polls=1, commits=1)).stalled == ()


@pytest.mark.parametrize(
    ("stuck", "rising", "reason"),
    [
        (IDLE, {"polls": 1}, "event loop"),
        (IDLE, {"heartbeats": 1}, "polled"),
        (IDLE._replace(has_work=True), {"heartbeats": 1, "polls": 1}, "committed"),
        (Snapshot(), {"heartbeats": 1, "polls": 1}, "group"),
    ],
)
def test_what_does_not_go_on_is_reported_and_ends_the_process_a_little_later(
    stuck: Snapshot, rising: dict[str, int], reason: str
) -> None:
    assert after(each_second(60, stuck, **rising)).stalled == ()
    health = after(each_second(62, stuck, **rising))
    assert [reason in why for why in health.stalled] == [True]
    assert health.unready
    assert health.ends_with is None
    assert after(each_second(64, stuck, **rising)).ends_with is ExitCode.STALLED


@pytest.mark.parametrize(
    "waiting",
    [
        IDLE._replace(has_work=True, away=("Kafka",)),
        Snapshot(away=("Kafka",)),
        IDLE._replace(has_work=True, away=("PostgreSQL",)),
    ],
)
def test_while_something_is_away_nothing_counts_as_stalled_however_long(waiting: Snapshot) -> None:
    health = after(each_second(100_000, waiting, every=20, heartbeats=1))
    assert (health.stalled, health.ends_with) == ((), None)
    assert f"{waiting.away[0]} does not answer" in health.unready


def test_tries_that_go_on_failing_are_waiting_although_everything_answers() -> None:
    """For example a lock on the table: each try ends by its time-out."""
    refused = IDLE._replace(has_work=True, waiting_for=("recording a batch",))
    moments = [
        (at, seen._replace(failures=int(at) // 50)) for at, seen in each_second(1000, refused, heartbeats=1)
    ]
    health = after(moments)
    assert health.stalled == ()
    assert health.unready == ("waiting: recording a batch",)


def test_a_single_try_that_never_ends_is_no_waiting() -> None:
    hanging = IDLE._replace(has_work=True, waiting_for=("recording a batch",))
    assert after(each_second(62, hanging, heartbeats=1)).stalled


def test_patience_begins_anew_when_what_was_away_is_back() -> None:
    busy = IDLE._replace(has_work=True)
    moments = each_second(500, busy._replace(away=("Kafka",)), heartbeats=1)
    moments += [
        (500 + at, seen._replace(heartbeats=501 + int(at)))
        for at, seen in each_second(60, busy, heartbeats=1)
    ]
    assert after(moments).stalled == ()
    assert after([*moments, (562.0, busy._replace(heartbeats=9999))]).stalled


def test_a_stuck_event_loop_is_excused_by_nothing() -> None:
    assert after(each_second(62, IDLE._replace(away=("Kafka",)), polls=1)).stalled


def test_work_that_begins_after_a_long_rest_has_its_whole_patience() -> None:
    moments = each_second(500, IDLE, heartbeats=1, polls=1)
    moments.append((501.0, IDLE._replace(heartbeats=501, polls=501, has_work=True)))
    assert after(moments).stalled == ()


def test_a_failure_ends_the_process_with_its_own_code_if_it_does_not_end_by_itself() -> None:
    failed = IDLE._replace(failed=ExitCode.BROKEN)
    moments = [(0.0, IDLE), *((at + 1, seen) for at, seen in each_second(29, failed))]
    assert after(moments).stalled
    assert after(moments).ends_with is None
    assert after([*moments, (31.0, failed)]).ends_with is ExitCode.BROKEN


def test_a_process_that_is_stopping_is_left_to_its_end() -> None:
    leaving = IDLE._replace(is_stopping=True, has_work=True)
    assert after(each_second(1000, leaving)) == Health((), ("it is ending, as requested",), None)
