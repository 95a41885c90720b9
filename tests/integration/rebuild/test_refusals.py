"""A rebuild deletes many rows, ignores rows without an event and alters types on request alone."""

from uuid import UUID

import asyncpg
import pytest

from harness.legacy_events import legacy_row
from harness.rebuilding import Installation, rows_as_text, tamper
from harness.writers import NAMES, KeptMessages, Recomputer
from histories import chains, event
from llamalog_service.adoption.legacy_events import LegacyPublisher
from llamalog_service.log.unsourced_rows import UnsourcedRowStore
from llamalog_service.rebuild.comparison import RebuildSelection
from llamalog_service.rebuild.errors import (
    EnumLabelsNotAddedError,
    NoPositionsError,
    TooManyDeletesError,
    UnknownEnumLabelsError,
    UnsourcedRowsError,
)
from llamalog_service.rebuild.initial_load import MAX_ENUM_LABELS
from llamalog_service.rebuild.shadow import ShadowStore

FORGED = str(UUID(int=9999))
LARGE = str(UUID(int=500))


@pytest.fixture
async def at_rest(pool: asyncpg.Pool) -> Installation:
    installation = Installation(pool)
    installation.publish([*chains(30), event(101)])
    await installation.ingest_all()
    return installation


async def forge(pool: asyncpg.Pool, count: int) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, origin) "
        "SELECT gen_random_uuid(), 'forged', 'CREATED', 'SUCCESS', 'UNTRACKED' FROM generate_series(1, $1)",
        count,
    )


async def test_a_row_without_an_event_is_archived_and_tombstoned_when_it_is_deleted(
    at_rest: Installation,
) -> None:
    await tamper(at_rest.pool)
    forged = await at_rest.pool.fetchval("SELECT to_jsonb(l) FROM llama_logs l WHERE id = $1", FORGED)
    assert forged.pop("producer_id") is None
    await at_rest.repaired()
    kept = await at_rest.pool.fetch("SELECT row_id::text, content, is_published FROM removed_rows")
    assert [tuple(record) for record in kept] == [(FORGED, forged | {"producer": None}, True)]
    assert at_rest.kept.removals == [FORGED]


async def test_a_removal_left_unpublished_by_a_crash_is_published_and_a_row_inserted_again_after_it(
    at_rest: Installation,
) -> None:
    await at_rest.pool.execute(
        "INSERT INTO removed_rows (row_id, content) VALUES ($1, '{}'), ($2, '{}')", FORGED, UUID(int=4)
    )
    kept = KeptMessages()
    await Recomputer(at_rest.pool, kept).publish_corrections()
    assert kept.removals == [str(UUID(int=4)), FORGED]
    assert set(kept.provenance) == {UUID(int=4)}
    again = KeptMessages()
    await Recomputer(at_rest.pool, again).publish_corrections()
    assert again.by_topic == {}


async def test_a_repair_that_would_delete_more_rows_than_it_may_changes_nothing(
    at_rest: Installation,
) -> None:
    await tamper(at_rest.pool)
    await forge(at_rest.pool, 3)
    before = await rows_as_text(at_rest.pool)
    with pytest.raises(TooManyDeletesError, match="4 rows of the live table are in no event"):
        await at_rest.repaired(max_deletes=3)
    assert await rows_as_text(at_rest.pool) == before
    assert len(at_rest.lines) == 8
    assert (await at_rest.repaired(max_deletes=4)).repaired == 8
    assert await at_rest.pool.fetchval("SELECT count(*) FROM removed_rows") == 4


async def test_a_table_without_positions_is_refused(
    at_rest: Installation,
) -> None:
    await at_rest.pool.execute("DELETE FROM consumer_positions")
    with pytest.raises(NoPositionsError, match="no consumer group has a position"):
        await at_rest.repaired()
    assert await at_rest.pool.fetchval("SELECT count(*) FROM llama_logs") == 31


@pytest.fixture
async def with_large_row(at_rest: Installation) -> Installation:
    """Also a resolved row too large for an event, of a job that others name."""
    at_rest.publish([event(501, "below", "large")])
    await at_rest.pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, job_id, error_message) "
        "VALUES ($1, 'op', 'CREATED', 'SUCCESS', 'large', repeat('x', 1100000))",
        LARGE,
    )
    await at_rest.ingest_all()
    await Recomputer(at_rest.pool, at_rest.kept).recompute(["large"])
    return at_rest


async def test_a_refusal_names_the_rows_without_an_event(with_large_row: Installation) -> None:
    with pytest.raises(UnsourcedRowsError, match=LARGE):
        await with_large_row.rebuilt()


async def test_rows_without_an_event_are_copied_on_request(
    with_large_row: Installation,
) -> None:
    pool = with_large_row.pool
    topic = NAMES.entity_events.name
    assert [
        one.id
        for one in (
            await LegacyPublisher(UnsourcedRowStore(pool, topic), KeptMessages(), topic).run()
        ).unpublishable
    ] == [LARGE]
    rows = await rows_as_text(pool)
    report = await with_large_row.rebuilt(allow_unsourced=True)
    assert with_large_row.lines == []
    assert (report.unsourced_rows, report.live) == (1, report.rebuilt)
    await pool.execute("UPDATE llama_logs SET root_job_id = 'wrong' WHERE job_id IN ('large', 'below')")
    await tamper(pool)
    assert (await with_large_row.repaired(allow_unsourced=True)).repaired == 7
    assert await rows_as_text(pool) == rows


async def test_copied_rows_are_removed_from_a_resumed_shadow(
    with_large_row: Installation,
) -> None:
    with pytest.raises(TooManyDeletesError):
        await forge(with_large_row.pool, 1)
        await with_large_row.repaired(allow_unsourced=True, max_deletes=0)
    await with_large_row.pool.execute("DELETE FROM llama_logs WHERE id = $1", LARGE)
    await with_large_row.settle()
    await Recomputer(with_large_row.pool, with_large_row.kept).recompute(["large"])
    report = await with_large_row.repaired(allow_unsourced=True)
    assert (report.unsourced_rows, report.differences.missing) == (0, 0)


async def test_rows_that_another_program_has_just_written_are_no_difference_if_they_are_copied(
    at_rest: Installation,
) -> None:
    await at_rest.pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, is_root_job) "
        "VALUES (gen_random_uuid(), 'op', 'CREATED', 'SUCCESS', 'new', 'root-1', true)"
    )
    rows = await rows_as_text(at_rest.pool)
    assert (await at_rest.repaired(allow_unsourced=True)).repaired == 0
    assert at_rest.lines == []
    assert await rows_as_text(at_rest.pool) == rows


async def test_a_forged_content_of_an_unresolved_row_is_repaired(
    at_rest: Installation,
) -> None:
    rows = await rows_as_text(at_rest.pool)
    await at_rest.pool.execute("DELETE FROM llama_logs WHERE id = ANY ($1)", [UUID(int=2), UUID(int=101)])
    await at_rest.pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, job_id) "
        "VALUES ($1, 'op', 'CREATED', 'SUCCESS', 'elsewhere'), ($2, 'op', 'CREATED', 'SUCCESS', NULL)",
        UUID(int=2),
        UUID(int=101),
    )
    assert (await at_rest.repaired(allow_unsourced=True)).repaired == 2
    assert await rows_as_text(at_rest.pool) == rows


async def test_an_unresolved_row_with_an_event_differs_if_its_content_does(
    at_rest: Installation,
) -> None:
    await at_rest.pool.execute(
        "UPDATE llama_logs SET origin = NULL, legacy_sourced = true WHERE job_id = 'root-1'"
    )
    assert (await at_rest.rebuilt()).differences.rows == 0
    await at_rest.pool.execute("UPDATE llama_logs SET operation = 'forged' WHERE job_id = 'root-1'")
    assert (await at_rest.repaired()).repaired == 1
    assert (await at_rest.rebuilt()).differences.rows == 0
    assert await at_rest.pool.fetchval("SELECT count(*) FROM llama_logs WHERE operation = 'forged'") == 0


async def test_a_list_that_is_null_is_no_content_that_a_repair_of_a_root_writes(
    at_rest: Installation,
) -> None:
    at_rest.topic.append(legacy_row(700, "CREATED"))
    await at_rest.ingest_all()
    row = UUID(int=700)
    await at_rest.pool.execute("ALTER TABLE llama_logs ALTER sources DROP NOT NULL")  # as in adopted tables
    await at_rest.pool.execute(
        "UPDATE llama_logs SET sources = NULL, root_job_id = 'wrong' WHERE id = $1", row
    )
    assert (await at_rest.repaired()).repaired == 1
    stored = await at_rest.pool.fetchrow("SELECT sources, root_job_id FROM llama_logs WHERE id = $1", row)
    assert tuple(stored) == (None, None)


async def categories(pool: asyncpg.Pool) -> list[str]:
    return list(await pool.fetchval("""SELECT enum_range(NULL::"LlamaLogCategory")::text[]"""))


async def test_a_writer_to_the_topic_can_not_alter_a_type(at_rest: Installation) -> None:
    before = await categories(at_rest.pool)
    at_rest.topic.append(legacy_row(700, "ODD"))
    await at_rest.ingest_all()
    (dead_letter,) = at_rest.kept.dead_letters
    assert ("llamalog-reason", b"refused-by-database") in dead_letter.headers
    report = await at_rest.rebuilt()
    assert (report.dead_letters, report.differences.rows) == (1, 0)
    assert await categories(at_rest.pool) == before


async def test_labels_are_added_on_request_and_their_rows_are_inserted(at_rest: Installation) -> None:
    at_rest.topic.append(legacy_row(700, "ODD"))
    at_rest.topic.append(legacy_row(701, "it's \\ odd"))
    at_rest.topic.append(legacy_row(702, "far too long for a word of an enum " * 2))
    await at_rest.ingest_all()
    report = await at_rest.repaired(add_enum_labels=True)
    assert (report.dead_letters, report.repaired) == (1, 2)
    assert {"ODD", "it's \\ odd"} < set(await categories(at_rest.pool))
    assert (await at_rest.rebuilt(only=RebuildSelection(entities=(UUID(int=1),)))).differences.rows == 0


async def test_an_empty_table_that_would_lack_rows_is_not_loaded_and_the_same_command_resumes(
    pool: asyncpg.Pool,
) -> None:
    installation = Installation(pool)
    installation.publish(chains(90))
    installation.topic.append(legacy_row(700, "ODD"), 2)
    with pytest.raises(UnknownEnumLabelsError, match=r"lack \(category: ODD\)"):
        await installation.rebuilt()
    assert (await ShadowStore(pool).progress()).messages > 0
    report = await installation.rebuilt(add_enum_labels=True)
    assert (report.loaded, report.rebuilt.rows, report.dead_letters) == (True, 91, 0)


async def test_an_enum_is_not_given_labels_without_end(pool: asyncpg.Pool) -> None:
    installation = Installation(pool)
    before = await categories(pool)
    for number in range(MAX_ENUM_LABELS):
        installation.topic.append(legacy_row(700 + number, f"ODD {number}"))
    with pytest.raises(EnumLabelsNotAddedError, match=f"more than {MAX_ENUM_LABELS}"):
        await installation.rebuilt(add_enum_labels=True)
    assert len(await categories(pool)) <= MAX_ENUM_LABELS
    assert set(before) <= set(await categories(pool))
