"""A rebuild compares as of the table's position in the topic, whichever consumer groups recorded it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from harness.rebuilding import TAMPERED, Installation, KeptTopic, rows_as_text, tamper
from harness.writers import GROUP, TOPIC
from histories import chains, event
from llamalog_schemas.events import Event
from llamalog_service.domain.errors import PositionPastEndError
from llamalog_service.rebuild.archive.archive import Archive, ArchiveThenTopic
from llamalog_service.rebuild.archive.archiver import Archiver
from llamalog_service.rebuild.comparison import RebuildSelection
from llamalog_service.rebuild.errors import OtherTopicsError, RowsPastPositionError

EVENTS: list[Event] = [*chains(27), event(101)]
OTHER = "renamed"

State = Callable[[Installation], Awaitable[None]]


@pytest.fixture
async def recorded(pool: asyncpg.Pool) -> Installation:
    """A group has recorded every event."""
    installation = Installation(pool)
    installation.publish(EVENTS)
    await installation.ingest_all()
    return installation


async def renamed(installation: Installation) -> None:
    """The group has another name now, and its consumer was not started yet."""
    installation.group = OTHER


async def renamed_and_behind(installation: Installation) -> None:
    """The consumer of the other group reads all again, and is not through."""
    installation.group = OTHER
    await installation.ingest(0, 4)
    await installation.ingest(1, 1)


async def renamed_and_back(installation: Installation) -> None:
    """The other group has read more; the first one goes on from where it was."""
    installation.group = OTHER
    installation.publish(chains(9, first=200))
    await installation.ingest_all()
    installation.group = GROUP
    await installation.ingest(0, 2)


async def ahead_in_turn(installation: Installation) -> None:
    """Each of two groups is ahead in one of the partitions."""
    installation.publish(chains(30, first=200))
    await installation.ingest(0)
    installation.group = OTHER
    await installation.ingest(0, 2)
    await installation.ingest(1)
    await installation.settle()


groups = pytest.mark.parametrize(
    "come_to",
    [renamed, renamed_and_behind, renamed_and_back, ahead_in_turn],
    ids=lambda state: state.__name__,
)


@groups
async def test_valid_rows_are_neither_called_extra_nor_removed(
    recorded: Installation, come_to: State
) -> None:
    await come_to(recorded)
    rows, revisions = await rows_as_text(recorded.pool), await recorded.revisions()
    report = await recorded.repaired()
    assert recorded.lines == []
    assert (report.repaired, report.deleted, report.live) == (0, 0, report.rebuilt)
    assert (await rows_as_text(recorded.pool), await recorded.revisions()) == (rows, revisions)
    assert recorded.kept.removals == []
    assert await recorded.pool.fetchval("SELECT count(*) FROM removed_rows") == 0


@groups
async def test_what_differs_is_named_and_repaired(recorded: Installation, come_to: State) -> None:
    await come_to(recorded)
    rows = await rows_as_text(recorded.pool)
    await tamper(recorded.pool)
    await recorded.rebuilt(only=RebuildSelection(roots=("root-1",)))
    assert recorded.named == [("different", str(UUID(int=2))), ("extra", str(UUID(int=9999)))]
    report = await recorded.repaired()
    assert recorded.named == TAMPERED
    assert (report.repaired, report.deleted, report.restored) == (5, 1, 0)
    assert await rows_as_text(recorded.pool) == rows


async def test_an_archive_and_then_the_topic_are_read_up_to_the_same_position(
    recorded: Installation, tmp_path: Path
) -> None:
    await Archiver(tmp_path, TOPIC, recorded.topic).run()
    await renamed_and_behind(recorded)
    recorded.publish(chains(9, first=200))
    history = ArchiveThenTopic(Archive(tmp_path, TOPIC), recorded.topic)
    report = await recorded.run(recorded.rebuild(history=history))
    assert (recorded.lines, report.messages) == ([], len(EVENTS))


async def test_a_position_past_the_end_of_the_topic_is_refused_whichever_group_recorded_it(
    recorded: Installation,
) -> None:
    """The table holds rows of the topic as it was before it was deleted and created again."""
    await renamed(recorded)
    before = await rows_as_text(recorded.pool)
    recorded.topic.partitions[1].clear()
    with pytest.raises(
        PositionPastEndError, match=r"partition 1: .* up to offset 9, the partition ends at 0"
    ):
        await recorded.repaired()
    del recorded.topic.partitions[1]
    with pytest.raises(PositionPastEndError, match="partition 1: "):
        await recorded.repaired()
    assert await rows_as_text(recorded.pool) == before


@pytest.mark.parametrize(
    "setting_back",
    ["UPDATE consumer_positions SET next_offset = 2", "DELETE FROM consumer_positions WHERE partition > 0"],
)
async def test_rows_of_events_past_a_position_that_was_set_back_are_refused_and_kept(
    recorded: Installation, setting_back: str
) -> None:
    rows = await rows_as_text(recorded.pool)
    await tamper(recorded.pool)
    tampered = await rows_as_text(recorded.pool)
    await recorded.pool.execute(setting_back)
    for options in ({}, {"max_deletes": 1000}, {"only": RebuildSelection(roots=("root-7",))}):
        with pytest.raises(RowsPastPositionError, match="Let the consumer read on"):
            await recorded.repaired(**options)
        with pytest.raises(RowsPastPositionError):
            await recorded.rebuilt(**options)
    assert (await rows_as_text(recorded.pool), recorded.lines) == (tampered, [])

    await renamed(recorded)
    await recorded.ingest_all()
    assert (await recorded.repaired()).deleted == 1
    assert await rows_as_text(recorded.pool) == rows


async def test_rows_of_another_topic_are_not_called_extra_nor_removed(recorded: Installation) -> None:
    """The topic's prefix was changed, and the consumer has read the new topic, which begins anew."""
    await recorded.pool.execute("UPDATE consumer_positions SET topic = 'former.entity-events'")
    recorded.topic = KeptTopic()
    recorded.publish(chains(9, first=200))
    await renamed(recorded)
    await recorded.ingest_all()
    rows = await rows_as_text(recorded.pool)
    for deletes in (100, 1000):
        with pytest.raises(OtherTopicsError, match=r"28 rows .* recorded former\.entity-events"):
            await recorded.repaired(max_deletes=deletes)
    assert (await rows_as_text(recorded.pool), recorded.lines) == (rows, [])
    assert await recorded.pool.fetchval("SELECT count(*) FROM removed_rows") == 0
