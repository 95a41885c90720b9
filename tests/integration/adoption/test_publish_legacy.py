"""Rows that were there before events existed are published as events, and the events give every row back."""

from collections.abc import AsyncIterator, Sequence
from random import Random
from uuid import UUID, uuid4
from zlib import crc32

import asyncpg
import pytest

from harness.legacy.adversarial import adversarial_rows, strange_values
from harness.legacy.contents import contents
from harness.legacy.database import (
    differences,
    insert_rows,
    make_known_database,
    read_kept_aside,
    read_table,
    run_script,
)
from harness.legacy.known import ROWS
from harness.legacy.schemas import NEIGHBOURS, UNKNOWN_CATEGORY, UNKNOWN_TO_US, StartingPoint, schema_at
from harness.rebuilding import Installation
from harness.writers import NAMES, KeptMessages
from histories import event
from integration.adoption.test_legacy_roots import _ADOPT, repair
from llamalog_schemas import decode_event, is_legacy_row
from llamalog_service.adoption.legacy_events import LegacyPublisher, PublishLegacyReport
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.backfill.override_publication import OverridesReport, publish_missing
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.overrides import OverrideStore
from llamalog_service.log.unsourced_rows import UnsourcedRowStore
from llamalog_service.postgres.pool import create_pool
from llamalog_service.rebuild.errors import UnknownEnumLabelsError, UnsourcedRowsError

TOPIC = NAMES.entity_events.name
_LOST_TOPS = """
    SELECT DISTINCT p.parent_job_id FROM llama_logs p
    WHERE p.parent_job_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM llama_logs j WHERE j.job_id = p.parent_job_id)
"""


@pytest.fixture
async def old_pool(empty_database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the database that is adopted."""
    async with create_pool(empty_database, min_size=0, max_size=4) as pool:
        yield pool


async def adopt(url: str, pool: asyncpg.Pool) -> None:
    """Migrate, give every row its root, and adopt the tops that were never logged, as a backfill does."""
    await migrate(url)
    await repair(pool)
    lost = [record["parent_job_id"] for record in await pool.fetch(_LOST_TOPS)]
    await pool.execute(_ADOPT, [job for job in lost if job])
    await repair(pool)


async def publish_legacy(pool: asyncpg.Pool, kept: KeptMessages) -> PublishLegacyReport:
    return await LegacyPublisher(UnsourcedRowStore(pool, TOPIC), kept, TOPIC).run()


async def publish_overrides(installation: Installation) -> OverridesReport:
    """Publish the overrides that the installation's topic lacks, to that topic."""
    kept, topic = KeptMessages(), installation.overrides
    ends = {partition: span.end for partition, span in (await topic.spans()).items()}
    publisher = EventPublisher(kept, NAMES, source="/tests")
    report = await publish_missing(OverrideStore(installation.pool), publisher, topic.read({}, ends))
    for message in kept.by_topic.get(NAMES.overrides.name, []):
        topic.append(message.value)
    return report


def replay(installation: Installation, messages: Sequence[MessageToSend], seed: int = 1) -> None:
    """Put what was published into the topic, some of it twice."""
    dice = Random(seed)
    for message in messages:
        for _ in range(1 + (dice.random() < 0.1)):
            installation.topic.append(message.value, crc32(message.key or b"") % 3)


async def overrides(pool: asyncpg.Pool) -> set[tuple[object, ...]]:
    records = await pool.fetch(
        "SELECT id, job_id, adopted, reason, requested_by, overridden_at, is_sourced FROM root_overrides"
    )
    return {tuple(record) for record in records}


async def test_the_known_database_is_published_and_restored_column_for_column(
    empty_database: str, old_pool: asyncpg.Pool, database_url: str, pool: asyncpg.Pool
) -> None:
    await make_known_database(empty_database, StartingPoint.ROOTS, lost_tops=True)
    await adopt(empty_database, old_pool)
    before = await contents(empty_database)
    kept = KeptMessages()
    report = await publish_legacy(old_pool, kept)
    assert (report.rows, report.overrides_left, report.unpublishable) == (ROWS, 4, [])
    messages = kept.by_topic[TOPIC]

    old, new = Installation(old_pool), Installation(pool)
    published = await publish_overrides(old)
    assert (published.published, published.present, published.unread) == (4, 0, 4)
    new.overrides = old.overrides
    for installation in (old, new):
        replay(installation, messages)
        await installation.ingest_all()
        assert installation.kept.dead_letters == []
    again = await publish_overrides(old)
    assert (again.published, again.present, again.unread) == (0, 4, 0)
    after = await contents(empty_database)
    expected = {row_id: row | {"legacy_sourced": "true"} for row_id, row in before.items()}
    assert differences(after, expected) == []
    assert differences(await contents(database_url), after) == []
    assert await overrides(pool) == await overrides(old_pool)
    assert await read_kept_aside(database_url) == await read_kept_aside(empty_database)

    for installation in (old, new):
        rebuilt = await installation.rebuilt()
        assert (rebuilt.differences.rows, rebuilt.overrides_differing, rebuilt.rebuilt.rows) == (0, 0, ROWS)


async def test_rows_that_no_event_could_have_made_are_published_verbatim(
    empty_database: str, old_pool: asyncpg.Pool, database_url: str, pool: asyncpg.Pool
) -> None:
    point = StartingPoint.ROOTS
    await run_script(empty_database, NEIGHBOURS + schema_at(point))
    await run_script(empty_database, UNKNOWN_TO_US.format(table=point.table))
    await run_script(empty_database, UNKNOWN_CATEGORY)
    await run_script(empty_database, "ALTER TABLE llama_logs DROP CONSTRAINT llama_logs_user_id_fkey")
    strange = strange_values(point)
    fitting = [row for row in strange if max(len(str(value)) for value in row.values()) < 900_000]
    await insert_rows(empty_database, point.table, fitting)
    await insert_rows(empty_database, point.table, adversarial_rows(point, seed=2))
    await adopt(empty_database, old_pool)

    kept = KeptMessages()
    report = await publish_legacy(old_pool, kept)
    assert report.unpublishable == []
    messages = kept.by_topic[TOPIC]
    others = [event for message in messages if is_legacy_row(event := decode_event(message.value or b""))]
    assert {"reviewScore": "9.99", "reviewed_by": "somebody"}.items() <= max(
        (event.data.other_columns or {} for event in others),
        key=lambda columns: columns.get("reviewScore", ""),
    ).items()

    old, new = Installation(old_pool), Installation(pool)
    replay(old, messages)
    await old.ingest_all()
    assert old.kept.dead_letters == []
    new.topic = old.topic
    await publish_overrides(old)
    await old.ingest_all()
    new.overrides = old.overrides
    with pytest.raises(UnknownEnumLabelsError, match=r"status: ARCHIVED|category: MERGED"):
        await new.rebuilt()
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == 0
    assert (await new.rebuilt(add_enum_labels=True)).loaded
    ours = list((await read_table(database_url, "llama_logs")).columns)
    assert differences(await contents(database_url), await contents(empty_database, ours)) == []
    assert await read_kept_aside(database_url) == await read_kept_aside(empty_database)
    assert (await old.rebuilt()).differences.rows == 0


async def test_a_row_too_large_for_an_event_is_named_and_not_lost_silently(
    database_url: str, pool: asyncpg.Pool
) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, error_message) "
        "VALUES (md5('large')::uuid, 'op', 'CREATED', 'SUCCESS', repeat('x', 1100000)), "
        "(md5('small')::uuid, 'op', 'CREATED', 'SUCCESS', 'x')"
    )
    installation = Installation(pool)
    for _ in range(2):
        kept = KeptMessages()
        report = await publish_legacy(pool, kept)
        (large,) = report.unpublishable
        assert large.id == str(await pool.fetchval("SELECT md5('large')::uuid"))
        assert "1100" in large.why
        assert len(kept.by_topic.get(TOPIC, [])) == report.rows
        replay(installation, kept.by_topic.get(TOPIC, []))
        await installation.ingest_all()
    with pytest.raises(UnsourcedRowsError) as refusal:
        await installation.rebuilt()
    assert refusal.value.rows == 1


async def test_a_publication_that_is_killed_is_resumed_and_every_row_is_published(
    empty_database: str, old_pool: asyncpg.Pool
) -> None:
    await make_known_database(empty_database, StartingPoint.ROOTS)
    await adopt(empty_database, old_pool)
    before = await contents(empty_database)

    class Killed(Exception):
        pass

    class Dying(KeptMessages):
        async def send(self, topic: str, messages: Sequence[MessageToSend]) -> None:  # type: ignore[override]
            await super().send(topic, messages)
            if len(self.by_topic[topic]) > 1000:
                raise Killed

    dying = Dying()
    with pytest.raises(Killed):
        await publish_legacy(old_pool, dying)
    kept = KeptMessages()
    report = await publish_legacy(old_pool, kept)
    assert report.resumed
    first, second = dying.by_topic[TOPIC], kept.by_topic[TOPIC]
    assert len(first) + len(second) == ROWS + 200  # the batch whose end was not kept
    ids = {decode_event(message.value or b"").id for message in first + second}
    assert ids == set(before)

    again = KeptMessages()
    assert not (await publish_legacy(old_pool, again)).resumed
    installation = Installation(old_pool)
    replay(installation, first + second + again.by_topic[TOPIC])
    await installation.ingest_all()
    expected = {row_id: row | {"legacy_sourced": "true"} for row_id, row in before.items()}
    assert differences(await contents(empty_database), expected) == []
    assert (await publish_legacy(old_pool, KeptMessages())).rows == 0


async def test_a_resumed_publication_names_what_was_unpublishable_before_it_was_killed_too(
    pool: asyncpg.Pool,
) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, error_message) "
        "SELECT lpad(to_hex(n), 32, '0')::uuid, 'op', 'CREATED', 'SUCCESS', "
        "CASE WHEN n IN (3, 290) THEN repeat('x', 1100000) END FROM generate_series(1, 300) n"
    )

    class Killed(Exception):
        pass

    class Dying(KeptMessages):
        async def send(self, topic: str, messages: Sequence[MessageToSend]) -> None:  # type: ignore[override]
            if self.by_topic.get(topic):
                raise Killed
            await super().send(topic, messages)

    with pytest.raises(Killed):
        await publish_legacy(pool, Dying())
    kept = KeptMessages()
    report = await publish_legacy(pool, kept)
    assert (report.resumed, report.rows, len(kept.by_topic[TOPIC])) == (True, 99, 99)
    assert {one.id for one in report.unpublishable} == {str(UUID(int=3)), str(UUID(int=290))}


async def test_an_event_of_any_type_under_a_legacy_rows_id_is_a_duplicate(
    database_url: str, pool: asyncpg.Pool
) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, job_id, created_at) "
        f"VALUES ('{UUID(int=1)}', 'op', 'CREATED', 'SUCCESS', 'job', '2024-01-01')"
    )
    installation = Installation(pool)
    installation.publish([event(1, "other", "parent")])
    await installation.ingest_all()
    await repair(pool)
    installation.publish([event(1, "third")])
    await installation.ingest_all()
    before = await contents(database_url)
    assert [row["job_id"] for row in before.values()] == ["job"]
    kept = KeptMessages()
    await publish_legacy(pool, kept)
    replay(installation, kept.by_topic[TOPIC])
    installation.publish([event(1, "fourth")])
    await installation.ingest_all()
    assert installation.kept.dead_letters == []
    assert [row["job_id"] for row in (await contents(database_url)).values()] == ["job"]
    assert (await installation.rebuilt()).differences.rows == 0


async def test_a_rebuild_gives_a_legacy_row_back_despite_an_earlier_event_of_its_id(
    database_url: str, pool: asyncpg.Pool, empty_database: str, old_pool: asyncpg.Pool
) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, is_root_job) "
        f"VALUES ('{UUID(int=1)}', 'op', 'CREATED', 'SUCCESS', 'job', 'overruled', true)"
    )
    installation = Installation(pool)
    installation.publish([event(1, "other", "parent"), event(2, "below", "job")])
    await installation.ingest_all()
    await repair(pool)
    kept = KeptMessages()
    await publish_legacy(pool, kept)
    replay(installation, kept.by_topic[TOPIC])
    await installation.ingest_all()
    before, kept_aside = await contents(database_url), await read_kept_aside(database_url)
    assert (before[str(UUID(int=1))]["job_id"], len(kept_aside)) == ("job", 1)

    await migrate(empty_database)
    filled = Installation(old_pool)
    filled.topic = installation.topic
    assert (await filled.rebuilt()).loaded
    assert differences(await contents(empty_database), before) == []
    assert await read_kept_aside(empty_database) == kept_aside

    await pool.execute(f"DELETE FROM llama_logs WHERE id = '{UUID(int=1)}'; DELETE FROM legacy_values")
    await installation.repaired()
    assert differences(await contents(database_url), before) == []
    assert await read_kept_aside(database_url) == kept_aside


async def test_a_legacy_event_that_differs_from_the_row_is_in_conflict_and_leaves_it_unsourced(
    pool: asyncpg.Pool,
) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, metadata) "
        f"VALUES ('{UUID(int=1)}', 'op', 'CREATED', 'SUCCESS', '{{}}')"
    )
    kept = KeptMessages()
    await publish_legacy(pool, kept)
    await pool.execute("""UPDATE llama_logs SET metadata = '{"edited": true}'""")
    installation = Installation(pool)
    replay(installation, kept.by_topic[TOPIC])
    await installation.ingest_all()
    (dead_letter, *_) = installation.kept.dead_letters
    assert ("llamalog-reason", b"id-conflict") in dead_letter.headers
    assert (await publish_legacy(pool, KeptMessages())).rows == 1


async def test_rows_that_the_application_goes_on_writing_are_published_by_the_next_call(
    pool: asyncpg.Pool,
) -> None:
    installation = Installation(pool)
    installation.publish([event(n, f"job-{n}") for n in range(1, 9)])
    await installation.ingest_all()
    assert (await publish_legacy(pool, KeptMessages())).rows == 0
    for looked_at in (False, True):
        await pool.execute(
            "INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, is_root_job) "
            "VALUES ($1, 'op', 'CREATED', 'SUCCESS', 'late', 'job-1', true)",
            uuid4(),
        )
        if looked_at:
            await repair(pool)
        with pytest.raises(UnsourcedRowsError):
            await installation.rebuilt(discard=True)
        kept = KeptMessages()
        assert (await publish_legacy(pool, kept)).rows == 1
        replay(installation, kept.by_topic[TOPIC])
        await installation.ingest_all()
        await repair(pool)
    assert (await installation.rebuilt(discard=True)).differences.rows == 0


async def test_a_kafka_that_is_away_is_waited_for(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status) "
        "VALUES (gen_random_uuid(), 'op', 'CREATED', 'SUCCESS')"
    )
    tries = iter([True, True])
    kept = KeptMessages(is_away=lambda: next(tries, False))
    with pytest.raises(UnavailableError):
        await kept.send(TOPIC, [])
    assert (await publish_legacy(pool, kept)).rows == 1
    assert len(kept.by_topic[TOPIC]) == 1
