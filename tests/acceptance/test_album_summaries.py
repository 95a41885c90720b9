"""The example's view is right through duplicates, corrections, a replay and its own crash."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from album_summaries.store import Summary, SummaryStore
from harness.provenance_messages import NOON, publish_rows, row
from harness.topics import producing
from harness.waiting import eventually
from llamalog_schemas.consumer import Position, ProvenanceUpdate, Removed
from llamalog_schemas.events import Category, EntityType
from llamalog_schemas.provenance import Origin, Provenance
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ALBUMS = [uuid4() for _ in range(8)]


def history(dice: random.Random) -> list[Provenance]:
    """What is published: every row, some corrected up to twice, some published again, in no order."""
    published = []
    for album in ALBUMS:
        rows = [row(album_id=album, entity_type=EntityType.ALBUM, root_job_id=f"create-{album}")]
        for number in range(30):
            rows.append(
                row(
                    album_id=album,
                    category=dice.choice([Category.CREATED, Category.LINKED, Category.FAILED]),
                    entity_type=dice.choice([EntityType.TRACK, EntityType.ARTIST]),
                    created_at=NOON + timedelta(seconds=number),
                )
            )
        for first in rows:
            last = dice.choice([1, 1, 2, 3])
            published += [corrected(first, revision, last, dice) for revision in range(1, last + 1)]
    published += dice.sample(published, len(published) // 3)
    dice.shuffle(published)
    return published


def corrected(final: Provenance, revision: int, last: int, dice: random.Random) -> Provenance:
    """A late parent: no root is known at first, or another one than in the end."""
    if revision == last:
        return replace(final, revision=revision)
    if dice.random() < 0.3:
        return replace(final, revision=revision, root_job_id="another")
    return replace(final, revision=revision, root_job_id=None, origin=Origin.PENDING)


def expected(published: list[Provenance]) -> dict[str, Summary]:
    """The summaries, from the highest revision of each row."""
    newest: dict[UUID, Provenance] = {}
    for each in published:
        if each.id not in newest or each.revision > newest[each.id].revision:
            newest[each.id] = each
    summaries = {}
    for album in {each.album_id for each in newest.values()}:
        rows = [each for each in newest.values() if each.album_id == album]
        created = [each for each in rows if each.category is Category.CREATED]
        albums = [each for each in created if each.entity_type is EntityType.ALBUM]
        summaries[str(album)] = Summary(
            album_id=str(album),
            root_job_id=albums[0].root_job_id if albums else None,
            tracks=sum(each.entity_type is EntityType.TRACK for each in created),
            links=sum(each.category is Category.LINKED for each in rows),
            failures=sum(each.category is Category.FAILED for each in rows),
            events=len(rows),
            without_root=sum(each.root_job_id is None for each in rows),
            last_at=max(each.created_at for each in rows).isoformat(timespec="milliseconds"),
        )
    return summaries


@pytest.fixture
def topic(settings: Settings) -> str:
    return topics(settings.topic_prefix).provenance.name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "summaries.sqlite"


@contextmanager
def service(settings: Settings, topic: str, file: Path, *options: str) -> Iterator[None]:
    """The example as a process of its own, killed in the end as it stands."""
    command = [sys.executable, "-m", "album_summaries", "--kafka", settings.kafka, "--topic", topic]
    process = subprocess.Popen(
        [*command, "--file", str(file), *options], env=os.environ | {"PYTHONPATH": str(EXAMPLES)}
    )
    try:
        yield
        assert process.poll() is None, "the service ended by itself"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def summaries(file: Path) -> dict[str, Summary]:
    store = SummaryStore(file)
    try:
        return store.summaries()
    finally:
        store.close()


async def is_reached(file: Path, wanted: dict[str, Summary]) -> None:
    async def is_right() -> bool:
        return summaries(file) == wanted

    try:
        await eventually(is_right)
    except TimeoutError:
        assert summaries(file) == wanted


async def events_are_counted(file: Path, number: int) -> None:
    async def so_many() -> bool:
        return sum(summary.events for summary in summaries(file).values()) >= number

    await eventually(so_many)


async def test_the_view_is_right_through_duplicates_corrections_a_replay_and_crashes(
    settings: Settings, topic: str, file: Path, tmp_path: Path
) -> None:
    published = history(random.Random(6))
    share = len(published) // 4
    async with producing(settings.kafka) as producer:
        for crash in range(4):
            piece = published[crash * share : None if crash == 3 else (crash + 1) * share]
            with service(settings, topic, file):
                publishing = asyncio.create_task(publish_rows(producer, topic, piece))
                await events_are_counted(file, 50 * (crash + 1))
                await publishing
        with service(settings, topic, file):
            await is_reached(file, expected(published))

        # A replay over the same file changes nothing; the rows published last show that it is through.
        last = [row(album_id=uuid4()) for _ in range(6)]
        for partition, each in enumerate(last):
            await publish_rows(producer, topic, [each], partition)
        with service(settings, topic, file, "--replay"):
            await is_reached(file, expected(published + last))
        with service(settings, topic, tmp_path / "another.sqlite"):
            await is_reached(tmp_path / "another.sqlite", expected(published + last))


async def test_a_row_that_was_removed_leaves_the_view_and_may_come_back(file: Path) -> None:
    store, album = SummaryStore(file), uuid4()
    rows = [row(album_id=album) for _ in range(2)]
    for offset, each in enumerate(rows, 1):
        store.apply(ProvenanceUpdate(each, None, Position(0, offset)))
    store.apply(Removed(rows[0].id, 1, Position(0, 3)))
    store.apply(Removed(uuid4(), None, Position(0, 4)))
    assert store.summaries()[str(album)].events == 1
    assert await store.highest([each.id for each in rows]) == {rows[1].id: 1}
    assert await store.positions([0]) == {0: 4}
    store.apply(Removed(rows[1].id, 1, Position(0, 5)))
    assert store.summaries() == {}
    store.apply(ProvenanceUpdate(replace(rows[0], revision=2), None, Position(0, 6)))
    assert store.summaries()[str(album)].events == 1
    store.close()
