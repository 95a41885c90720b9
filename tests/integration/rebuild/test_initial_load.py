"""Initial load of an empty database by a rebuild, with indexes and positions."""

import asyncio
from random import Random
from uuid import UUID

import asyncpg
import pytest

from harness.catalogue import catalogue
from harness.legacy_events import legacy_row
from harness.log_table import differences, empty_tables, stored_rows
from harness.rebuilding import Installation, rows_as_text
from harness.writers import GROUP, OVERRIDES, TOPIC
from histories import chains, event, override
from llamalog_schemas.events import Event
from llamalog_service.rebuild.comparison import ComparisonSnapshot, Duplicates
from llamalog_service.rebuild.errors import TableNotEmptyError
from llamalog_service.rebuild.initial_load import InitialLoadStore
from llamalog_service.rebuild.rebuild import RebuildOptions
from simulation.history import draw_history

EVENTS: list[Event] = [*chains(30), event(101), event(103, "orphan", "never"), override(104, "never")]


@pytest.fixture
async def installation(pool: asyncpg.Pool) -> Installation:
    installation = Installation(pool)
    installation.publish(EVENTS)
    return installation


async def test_an_empty_database_becomes_the_fold_with_every_index_and_the_positions(
    installation: Installation, database_url: str
) -> None:
    before = await catalogue(database_url)
    comments = """
        SELECT indexrelid::regclass::text, obj_description(indexrelid)
        FROM pg_index WHERE indrelid = 'llama_logs'::regclass ORDER BY 1
    """
    found = await installation.pool.fetch(comments)
    report = await installation.rebuilt()
    assert (report.loaded, report.rebuilt.rows, report.messages, report.overrides_read) == (True, 32, 32, 1)
    assert differences(await stored_rows(installation.pool), EVENTS) == []
    assert await catalogue(database_url) == before
    assert await installation.pool.fetch(comments) == found
    positions = await installation.pool.fetch(
        "SELECT consumer_group, topic, next_offset FROM consumer_positions"
    )
    events = [(GROUP, TOPIC, 10), (GROUP, TOPIC, 11), (GROUP, TOPIC, 11)]
    overrides = [(GROUP, OVERRIDES, 0), (GROUP, OVERRIDES, 0), (GROUP, OVERRIDES, 1)]
    assert sorted(map(tuple, positions)) == events + overrides
    assert installation.kept.by_topic == {}
    assert (await installation.rebuilt()).differences.rows == 0


KEY = "SELECT oid, obj_description(oid) AS comment FROM pg_constraint WHERE conname = 'llama_logs_pkey'"
LATE_TRIGGER = """
    CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON llama_logs INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION look()
"""


@pytest.mark.parametrize(
    ("statement", "is_kept"),
    [
        ("COMMENT ON CONSTRAINT llama_logs_pkey ON llama_logs IS 'the event''s'", False),
        ("ALTER INDEX llama_logs_pkey SET (fillfactor = 70)", False),
        ("CREATE TABLE notes (row_id uuid REFERENCES llama_logs)", True),
        ("CREATE VIEW grouped AS SELECT id, operation FROM llama_logs GROUP BY id", True),
        ("ALTER TABLE llama_logs REPLICA IDENTITY USING INDEX llama_logs_pkey", True),
        ("ALTER TABLE llama_logs CLUSTER ON llama_logs_pkey", True),
        (LATE_TRIGGER, True),
    ],
)
async def test_the_primary_key_is_made_again_unless_something_refers_to_it(
    installation: Installation, database_url: str, statement: str, is_kept: bool
) -> None:
    await installation.pool.execute(statement)
    before, key = await catalogue(database_url), await installation.pool.fetchrow(KEY)
    assert (await installation.rebuilt()).loaded
    assert differences(await stored_rows(installation.pool), EVENTS) == []
    assert await catalogue(database_url) == before
    found = await installation.pool.fetchrow(KEY)
    assert found["comment"] == key["comment"]
    assert (found["oid"] == key["oid"]) == is_kept


async def test_legacy_rows_are_marked_in_a_published_table(installation: Installation) -> None:
    """PostgreSQL refuses to update a published table while it has no key."""
    await installation.pool.execute("CREATE PUBLICATION elsewhere FOR TABLE llama_logs")
    installation.topic.append(legacy_row(300, "CREATED"))
    assert (await installation.rebuilt()).unrepaired == 0
    marked = await installation.pool.fetchval("SELECT id FROM llama_logs WHERE legacy_sourced")
    assert marked == UUID(int=300)


async def test_roots_do_not_follow_from_a_content_that_was_removed(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are found while duplicates are removed, here before; the one removed claims earlier."""
    kept = [event(200, "one"), event(201, "other"), event(202, "job", "one", at=300), override(203, "unseen")]
    installation.publish([*kept, event(204, "below", "unseen")], 0)
    installation.publish([event(202, "job", "other", at=100), override(203, "elsewhere")], 1)
    deduplicate = ComparisonSnapshot.deduplicate
    resolved = asyncio.Event()

    async def resolve(self: InitialLoadStore) -> None:
        await original(self)
        resolved.set()

    async def wait_then_deduplicate(self: ComparisonSnapshot) -> Duplicates:
        await asyncio.wait_for(resolved.wait(), 60)
        return await deduplicate(self)

    original = InitialLoadStore.resolve
    monkeypatch.setattr(InitialLoadStore, "resolve", resolve)
    monkeypatch.setattr(ComparisonSnapshot, "deduplicate", wait_then_deduplicate)
    assert (await installation.rebuilt()).contested == 1
    stored = await stored_rows(installation.pool)
    assert differences(stored, [*EVENTS, *kept, event(204, "below", "unseen")]) == []


async def test_a_consumer_continues_where_the_loaded_table_ends(installation: Installation) -> None:
    await installation.rebuilt()
    rows = await rows_as_text(installation.pool)
    await installation.ingest_all()  # reads everything again
    assert await rows_as_text(installation.pool) == rows
    installation.publish([event(200, "after", "root-1")])
    await installation.ingest_all()
    assert (await installation.rebuilt()).live.rows == 33


async def test_rows_of_a_loaded_table_have_revisions_above_any_published(installation: Installation) -> None:
    """A consumer that has read higher revisions would drop the corrections from now on."""
    for partition in installation.topic.partitions:
        await installation.ingest(partition)
    await installation.pool.execute("UPDATE llama_logs SET revision = 1000")
    await empty_tables(installation.pool)
    await installation.rebuilt()
    assert min((await installation.revisions()).values()) > 1000


async def test_an_initial_load_equals_an_ingest(pool: asyncpg.Pool) -> None:
    for seed in range(12):
        await empty_tables(pool)
        installation = Installation(pool)
        for drawn in draw_history(Random(seed)):
            installation.topic.append(drawn.value, drawn.partition)
        for partition in installation.topic.partitions:  # the lowest partition and offset comes first
            await installation.ingest(partition)
        await installation.settle()
        rows, overrides = (
            await rows_as_text(pool),
            await pool.fetch("SELECT id FROM root_overrides ORDER BY 1"),
        )
        await empty_tables(pool)
        assert (await installation.rebuilt()).loaded
        assert await rows_as_text(pool) == rows
        assert await pool.fetch("SELECT id FROM root_overrides ORDER BY 1") == overrides


async def test_a_dry_run_leaves_an_empty_table_empty_and_reports_its_rows(installation: Installation) -> None:
    report = await installation.rebuild().run(RebuildOptions(initial_load=False))
    assert (report.loaded, report.live.rows, report.rebuilt.rows) == (False, 0, 32)
    assert await installation.pool.fetchval("SELECT count(*) FROM llama_logs") == 0


async def test_a_table_that_is_not_empty_any_more_is_not_loaded_and_compared_the_next_time(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = InitialLoadStore.load

    async def ingest_then_load(self: InitialLoadStore, *where: object) -> None:
        await installation.ingest(0)
        await load(self, *where)  # type: ignore[arg-type]

    monkeypatch.setattr(InitialLoadStore, "load", ingest_then_load)
    with pytest.raises(TableNotEmptyError):
        await installation.rebuilt()
    assert await installation.pool.fetchval("SELECT count(*) FROM llama_logs") == 11
    await installation.ingest_all()
    report = await installation.rebuilt()
    assert (report.loaded, report.differences.rows, report.messages) == (False, 0, 32)


async def test_a_reader_during_an_initial_load_sees_no_row_or_all(installation: Installation) -> None:
    seen: set[int] = set()
    loaded = asyncio.Event()

    async def look() -> None:
        while not loaded.is_set():
            seen.add(await installation.pool.fetchval("SELECT count(*) FROM llama_logs"))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await installation.rebuilt()
    loaded.set()
    await looking
    assert seen <= {0, 32}
