"""Random histories: sets of events over few jobs, so that conflicts, cycles and late parents abound."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st
from msgspec.structs import replace

from llamalog_schemas.events import (
    EntityCreated,
    EntityData,
    EntityEnriched,
    EntityEvent,
    EntityLinked,
    EntityType,
    Event,
    EventRetracted,
    EventRetractionRevoked,
    RetractionData,
    RootAdopted,
    RootAdoptionRevoked,
    RootOverrideData,
    Status,
    UserErased,
    UserErasedData,
    is_override,
    user_digest,
)

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)


def event(
    number: int,
    job: str | None = None,
    parent: str | None = None,
    *,
    declared: str | None = None,
    at: float | None = None,
    kind: type[EntityCreated] | type[EntityEnriched] | type[EntityLinked] = EntityCreated,
) -> EntityEvent:
    """An event with the id `number`, of `at` milliseconds after noon (its number, if not given)."""
    return kind(
        id=str(UUID(int=number)),
        source="/tests",
        time=NOON + timedelta(milliseconds=number if at is None else at),
        specversion="1.0",
        data=EntityData(
            entity_type=EntityType.TRACK,
            entity_id=UUID(int=1_000_000 + number),
            operation="track:created:test",
            status=Status.SUCCESS,
            job_id=job,
            parent_job_id=parent,
            root_job_id=declared,
            metadata={"number": number},
        ),
    )


def override(number: int, job: str, *, adopted: bool = True, at: float | None = None) -> Event:
    """An operator's override of a job's root, or its revocation."""
    return (RootAdopted if adopted else RootAdoptionRevoked)(
        id=str(UUID(int=number)),
        source="/tests",
        time=NOON + timedelta(milliseconds=number if at is None else at),
        specversion="1.0",
        data=RootOverrideData(job_id=job, reason="a test", requested_by="tests"),
    )


def erasure(number: int, user: str, *, keys: tuple[str, ...] = (), at: float | None = None) -> UserErased:
    """The erasure of a person."""
    return UserErased(
        id=str(UUID(int=number)),
        source="/tests",
        time=NOON + timedelta(milliseconds=number if at is None else at),
        specversion="1.0",
        data=UserErasedData(
            user_digest=user_digest(user), metadata_keys=keys, reason="a test", requested_by="tests"
        ),
    )


def retraction(
    number: int,
    of: int,
    *,
    retracted: bool = True,
    at: float | None = None,
    by: str = "tests",
    reason: str = "a test",
) -> Event:
    """The retraction of the event with the id `of`, or the revocation of that."""
    return (EventRetracted if retracted else EventRetractionRevoked)(
        id=str(UUID(int=number)),
        source="/tests",
        time=NOON + timedelta(milliseconds=number if at is None else at),
        specversion="1.0",
        data=RetractionData(row_id=UUID(int=of), reason=reason, requested_by=by),
    )


def chains(count: int, first: int = 1) -> list[EntityEvent]:
    """Root, child, grandchild, and again."""
    events: list[EntityEvent] = []
    for number in range(first, first + count, 3):
        events.append(event(number, f"root-{number}"))
        events.append(event(number + 1, f"child-{number}", f"root-{number}"))
        events.append(event(number + 2, f"grandchild-{number}", f"child-{number}"))
    return events


@st.composite
def histories(draw: st.DrawFn, *, max_events: int = 24, max_jobs: int = 8) -> list[Event]:
    """A list of events with distinct ids; any order of it is as good."""
    jobs = [f"job-{letter}" for letter in "abcdefghijklmnop"[: draw(st.integers(2, max_jobs))]]
    some_job = st.one_of(st.none(), st.sampled_from(jobs), st.sampled_from(jobs), st.sampled_from(jobs))
    events: list[Event] = []
    for number in range(1, draw(st.integers(1, max_events)) + 1):
        at = draw(st.integers(0, 6))  # few distinct times: the row's id has to decide
        if draw(st.integers(0, 11)) == 0:
            events.append(override(number, draw(st.sampled_from(jobs)), adopted=draw(st.booleans()), at=at))
            continue
        job, parent = draw(some_job), draw(some_job)
        declared = draw(st.sampled_from(jobs)) if draw(st.integers(0, 5)) == 0 else None
        events.append(event(number, job, parent if parent != job else None, declared=declared, at=at))
    return draw(st.permutations(events))


@st.composite
def erasing_histories(draw: st.DrawFn) -> list[Event]:
    """A history whose events are of few persons, some of whom are erased."""
    users, keys = ("ada", "bob", "eve"), ("editor", "mail", "number")
    events: list[Event] = []
    for one in draw(histories()):
        if is_override(one):
            events.append(one)
            continue
        assert isinstance(one, EntityEvent)
        user = draw(st.sampled_from((None, *users)))
        metadata = {"number": 1, "editor": "E", "mail": {"at": "m"}, "track": [1]}
        events.append(replace(one, data=replace(one.data, user_id=user, metadata=metadata)))
    for number in range(draw(st.integers(0, 3))):
        some = tuple(draw(st.sets(st.sampled_from(keys))))
        events.append(erasure(1_000 + number, draw(st.sampled_from(users)), keys=some))
    return draw(st.permutations(events))


@st.composite
def retracting_histories(draw: st.DrawFn) -> list[Event]:
    """A history some of whose events are retracted, or retracted and that revoked, also before they come."""
    events: list[Event] = draw(histories())
    for number in range(draw(st.integers(1, 6))):
        of, at = draw(st.integers(1, len(events) + 1)), draw(st.integers(0, 3))
        events.append(retraction(1_000 + number, of, retracted=draw(st.integers(0, 3)) > 0, at=at))
    return draw(st.permutations(events))
