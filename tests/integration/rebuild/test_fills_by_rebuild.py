"""Into an empty database a rebuild is the fast way to fill it, indexes and positions included."""

import asyncio
from random import Random

import asyncpg
import pytest

from harness.catalogue import catalogue
from harness.log_table import differences, empty_tables, stored_rows
from harness.rebuilding import Installation, rows_as_text
from harness.writers import GROUP, TOPIC
from histories import chains, event, override
from llamalog_schemas.events import Event
from llamalog_service.rebuild.errors import TableNotEmptyError
from llamalog_service.rebuild.initial_load import InitialLoadStore
from llamalog_service.rebuild.rebuild import RebuildOptions
from simulation.history import draw_history

EVENTS: list[Event] = [*chains(30), event(101), event(103, "orphan", "never"), override(104, "never")]


@pytest.fixture
async def told(pool: asyncpg.Pool) -> Installation:
    installation = Installation(pool)
    installation.say(EVENTS)
    return installation


async def test_an_empty_database_becomes_the_fold_with_every_index_and_the_positions(
    told: Installation, database_url: str
) -> None:
    before = await catalogue(database_url)
    comments = """
        SELECT indexrelid::regclass::text, obj_description(indexrelid)
        FROM pg_index WHERE indrelid = 'llama_logs'::regclass ORDER BY 1
    """
    said = await told.pool.fetch(comments)
    report = await told.rebuilt()
    assert (report.loaded, report.rebuilt.rows, report.messages) == (True, 32, 33)
    assert differences(await stored_rows(told.pool), EVENTS) == []
    assert await catalogue(database_url) == before
    assert await told.pool.fetch(comments) == said
    positions = await told.pool.fetch("SELECT consumer_group, topic, next_offset FROM consumer_positions")
    assert sorted(map(tuple, positions)) == [(GROUP, TOPIC, 11)] * 3
    assert told.kept.by_topic == {}
    assert (await told.rebuilt()).differences.rows == 0


async def test_a_consumer_goes_on_where_the_filled_table_ends(told: Installation) -> None:
    await told.rebuilt()
    rows = await rows_as_text(told.pool)
    await told.ingest_all()  # reads everything again
    assert await rows_as_text(told.pool) == rows
    told.say([event(200, "after", "root-1")])
    await told.ingest_all()
    assert (await told.rebuilt()).live.rows == 33


async def test_rows_of_a_filled_table_have_revisions_that_nobody_has_seen(told: Installation) -> None:
    """Whoever was told of them before the table was lost would drop what is corrected from now on."""
    for partition in told.topic.partitions:
        await told.ingest(partition)
    await told.pool.execute("UPDATE llama_logs SET revision = 1000")
    await empty_tables(told.pool)
    await told.rebuilt()
    assert min((await told.revisions()).values()) > 1000


async def test_a_fill_is_what_ingesting_would_have_been(pool: asyncpg.Pool) -> None:
    for seed in range(12):
        await empty_tables(pool)
        installation = Installation(pool)
        for said in draw_history(Random(seed)):
            installation.topic.say(said.value, said.partition)
        for partition in installation.topic.partitions:  # the lowest partition and offset comes first
            await installation.ingest(partition)
        await installation.settle()
        rows, overrides = await rows_as_text(pool), await pool.fetch("SELECT id FROM root_decrees ORDER BY 1")
        await empty_tables(pool)
        assert (await installation.rebuilt()).loaded
        assert await rows_as_text(pool) == rows
        assert await pool.fetch("SELECT id FROM root_decrees ORDER BY 1") == overrides


async def test_a_dry_run_leaves_an_empty_table_empty_and_tells_what_it_would_hold(told: Installation) -> None:
    report = await told.rebuild().run(RebuildOptions(initial_load=False))
    assert (report.loaded, report.live.rows, report.rebuilt.rows) == (False, 0, 32)
    assert await told.pool.fetchval("SELECT count(*) FROM llama_logs") == 0


async def test_a_table_that_is_not_empty_any_more_is_left_alone_and_compared_the_next_time(
    told: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = InitialLoadStore.load

    async def ingest_then_fill(self: InitialLoadStore, *where: object) -> None:
        await told.ingest(0)
        await fill(self, *where)  # type: ignore[arg-type]

    monkeypatch.setattr(InitialLoadStore, "load", ingest_then_fill)
    with pytest.raises(TableNotEmptyError):
        await told.rebuilt()
    assert await told.pool.fetchval("SELECT count(*) FROM llama_logs") == 11
    await told.ingest_all()
    report = await told.rebuilt()
    assert (report.loaded, report.differences.rows, report.messages) == (False, 0, 33)


async def test_whoever_reads_during_a_fill_sees_nothing_or_everything(told: Installation) -> None:
    seen: set[int] = set()
    filled = asyncio.Event()

    async def look() -> None:
        while not filled.is_set():
            seen.add(await told.pool.fetchval("SELECT count(*) FROM llama_logs"))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await told.rebuilt()
    filled.set()
    await looking
    assert seen <= {0, 32}
