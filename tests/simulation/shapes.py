"""Shapes of histories: who started whom, what operators override, what other programs wrote."""

from collections.abc import Callable
from random import Random
from uuid import UUID

from msgspec.structs import replace

from histories import NOON
from llamalog_schemas.events import (
    EntityCreated,
    EntityData,
    EntityEvent,
    EntityType,
    Event,
    LegacyRow,
    RootAdopted,
    RootAdoptionRevoked,
    RootOverrideData,
    Status,
    UserErased,
    UserErasedData,
    user_digest,
)
from llamalog_schemas.legacy import LEGACY_SOURCE, LegacyRowData

Shape = Callable[[Random, int], list[Event]]
"""About so many events."""

OVERRIDES = (RootAdopted, RootAdopted, RootAdoptionRevoked)


def event(job: str | None, parent: str | None = None, declared: str | None = None) -> EntityEvent:
    return EntityCreated(
        id="",
        source="/simulated",
        time=NOON,
        specversion="1.0",
        data=EntityData(
            entity_type=EntityType.TRACK,
            entity_id=UUID(int=0),
            operation="track:created:simulated",
            status=Status.SUCCESS,
            job_id=job,
            parent_job_id=parent if parent != job else None,
            root_job_id=declared,
        ),
    )


def override(job: str, kind: type[RootAdopted] | type[RootAdoptionRevoked]) -> Event:
    return kind(
        id="",
        source="/simulated",
        time=NOON,
        specversion="1.0",
        data=RootOverrideData(job_id=job, reason="simulated", requested_by="simulation"),
    )


def erasure(user: str, *keys: str) -> Event:
    data = UserErasedData(
        user_digest=user_digest(user), metadata_keys=keys, reason="simulated", requested_by="simulation"
    )
    return UserErased(id="", source="/simulated", time=NOON, specversion="1.0", data=data)


def legacy_row(job: str | None, parent: str | None, *, calls_itself_root: bool) -> LegacyRow:
    """A row that another program wrote."""
    data = LegacyRowData(
        operation="track:created:legacy",
        category="CREATED",
        status="SUCCESS",
        created_at="2026-02-10 12:00:00",
        job_id=job,
        parent_job_id=parent if parent != job else None,
        is_root_job="true" if calls_itself_root else "false",
    )
    return LegacyRow(id="", source=LEGACY_SOURCE, time=NOON, specversion="1.0", data=data)


def tree(dice: Random, size: int) -> list[Event]:
    """Each job below one before it; some tops are never published, some rows bear no job."""
    jobs = ["top"]
    events: list[Event] = [event("top")] if dice.random() < 0.7 else []
    for number in range(size):
        parent = dice.choice(jobs)
        if dice.random() < 0.1:
            events.append(event(None, parent if dice.random() < 0.6 else None))
            continue
        job = f"job-{number}"
        jobs.append(job)
        events.append(event(job, parent, dice.choice(jobs) if dice.random() < 0.1 else None))
        if dice.random() < 0.15:
            events.append(event(job, None))
    return events


def chain(dice: Random, size: int) -> list[Event]:
    """One job below the other; the top may be missing, adopted, or get a parent of its own."""
    events: list[Event] = [event(f"job-{number}", f"job-{number - 1}") for number in range(1, size)]
    if dice.random() < 0.7:
        events.append(event("job-0"))
    if dice.random() < 0.4:
        events.append(event("job-0", "above"))
    if dice.random() < 0.4:
        events.append(override(dice.choice(["job-0", "above"]), dice.choice(OVERRIDES)))
    if dice.random() < 0.5:
        events.reverse()
    return events


def tangle(dice: Random, size: int) -> list[Event]:
    """Any claim about few jobs: conflicts, cycles that late events open or close, overrides."""
    jobs = [f"job-{number}" for number in range(dice.randint(2, 9))]
    events: list[Event] = []
    for _ in range(size):
        if dice.random() < 0.08:
            events.append(override(dice.choice(jobs), dice.choice(OVERRIDES)))
            continue
        job = dice.choice([*jobs, *jobs, *jobs, None])
        parent = dice.choice([*jobs, *jobs, *jobs, None])
        events.append(event(job, parent, dice.choice(jobs) if dice.random() < 0.15 else None))
    return events


def ring(dice: Random, size: int) -> list[Event]:
    """A cycle with branches, and other claims for its members, which open it if they are the earlier."""
    length = dice.randint(2, max(2, size // 2))
    events: list[Event] = [event(f"job-{number}", f"job-{(number + 1) % length}") for number in range(length)]
    for number in range(size - length):
        events.append(event(f"branch-{number}", f"job-{dice.randrange(length)}"))
    if dice.random() < 0.6:
        events.append(event(f"job-{dice.randrange(length)}", "outside"))
    if dice.random() < 0.4:
        events.append(event("outside"))
    return events


def growing(dice: Random, size: int) -> list[Event]:
    """A tree that goes on growing while its top is given one parent after the other."""
    events = tree(dice, size)
    for number in range(dice.choice([1, 1, 2, 4])):
        events.insert(dice.randint(0, len(events)), event("top", f"above-{number}"))
        if dice.random() < 0.5:
            events.insert(dice.randint(0, len(events)), event(f"above-{number}"))
    return events


def late_top(dice: Random, size: int) -> list[Event]:
    """Jobs below a top that is given a parent while each of them gets a leaf, not to be spoken of again."""
    jobs = [f"job-{number}" for number in range(6 + size // 4)]
    settled = [event("top"), *(event(job, "top") for job in jobs), *(event(f"other-{n}") for n in range(4))]
    leaves = [event(f"leaf-of-{job}", job) for job in dice.sample(jobs, len(jobs))]
    return [*settled, event("top", "above"), *leaves]


def late_parents(dice: Random, size: int) -> list[Event]:
    """Children, each followed by its parent, of which it is the only child."""
    events: list[Event] = []
    for number in range(8 + size // 4):
        events += [event(f"child-{number}", f"parent-{number}"), event(f"parent-{number}")]
    return events


def climbing(dice: Random, size: int) -> list[Event]:
    """Rows whose root changes again and again, since their top is given a parent, and that one, too."""
    events: list[Event] = [event(f"job-{number}", "top-0") for number in range(dice.randint(2, 6))]
    for number in range(max(4, size // 4)):
        events += [event(f"top-{number}"), event(f"top-{number}", f"top-{number + 1}")]
    return events


def overridden(dice: Random, size: int) -> list[Event]:
    """Lineages below tops that operators adopt, revoke and adopt again; few of them are seen in the end."""
    tops = [f"top-{number}" for number in range(3)]
    jobs = list(tops)
    events: list[Event] = []
    for number in range(max(6, size // 2)):
        job = f"job-{number}"
        events.append(event(job, dice.choice(jobs)))
        jobs.append(job)
    for top in tops:
        overrides = [override(top, RootAdopted), override(top, RootAdoptionRevoked)]
        overrides += [override(top, dice.choice(OVERRIDES)) for _ in range(dice.randint(0, 2))]
        events += dice.sample(overrides, len(overrides))
    if dice.random() < 0.3:
        events.insert(dice.randint(0, len(events)), event("top-0"))
    return events


def erased(dice: Random, size: int) -> list[Event]:
    """Jobs of few persons, some of whom are erased, by several erasures of different keys, in any order."""
    users, keys = ("ada", "bob", "eve"), ("editor", "mail")
    events: list[Event] = []
    for one in tangle(dice, size):
        if isinstance(one, EntityCreated):
            metadata = dict.fromkeys(dice.sample(keys, dice.randint(0, 2)), "personal")
            data = replace(one.data, user_id=dice.choice([None, *users]), metadata=metadata)
            events.append(replace(one, data=data))
        else:
            events.append(one)
    for _ in range(dice.randint(1, 4)):
        some = dice.sample(keys, dice.randint(0, 2))
        events.insert(dice.randint(0, len(events)), erasure(dice.choice(users[:2]), *some))
    return events


def legacy(dice: Random, size: int) -> list[Event]:
    """Rows of another program among events: roots that name a parent, jobs that events speak of too."""
    jobs = [f"job-{number}" for number in range(dice.randint(3, 9))]
    events: list[Event] = []
    for _ in range(size):
        job, parent = dice.choice([*jobs, *jobs, None]), dice.choice([*jobs, None])
        if dice.random() < 0.6:
            events.append(legacy_row(job, parent, calls_itself_root=dice.random() < 0.2))
        else:
            events.append(event(job, parent))
    return events


SHAPES: list[Shape] = [tree, growing, growing, chain, tangle, tangle, ring]
