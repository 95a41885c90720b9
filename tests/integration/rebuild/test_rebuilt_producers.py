"""A rebuild sees the producers that rows lack, and fills them from the topic."""

from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from harness.log_table import differences, stored_rows
from harness.provenance import as_stored
from harness.rebuilding import Installation
from histories import chains, event
from llamalog_schemas.events import EntityEvent

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OLD: list[EntityEvent] = [
    replace(one, source=f"/old/{number % 3}", traceparent=TRACEPARENT) for number, one in enumerate(chains(9))
]
NEW = [replace(event(50, "new"), source="/new")]


@pytest.fixture
async def upgraded(pool: asyncpg.Pool) -> Installation:
    """An installation that had recorded `OLD` before producers were."""
    installation = Installation(pool)
    installation.publish(OLD)
    await installation.ingest_all()
    await pool.execute(
        "UPDATE llama_logs SET producer_id = NULL, traceparent = NULL; DELETE FROM event_producers"
    )
    installation.publish(NEW)
    await installation.ingest_all()
    return installation


async def test_a_missing_producer_is_a_difference_that_a_repair_fills(upgraded: Installation) -> None:
    report = await upgraded.rebuilt()
    assert report.differences.by_column == {"producer": len(OLD)}
    assert {line["rebuilt"]["producer"] for line in upgraded.lines} == {"/old/0", "/old/1", "/old/2"}
    assert {line["live"]["producer"] for line in upgraded.lines} == {None}

    assert (await upgraded.repaired()).repaired == len(OLD)
    stored = await stored_rows(upgraded.pool)
    assert differences(stored, [*OLD, *NEW]) == []
    assert {row.int: one.revision for row, one in stored.items()} == {
        **dict.fromkeys((UUID(one.id).int for one in OLD), 2),
        50: 1,
    }
    assert upgraded.kept.provenance == as_stored(stored)
    assert (await upgraded.rebuilt()).differences.rows == 0


async def rows_of_the_trace(pool: asyncpg.Pool) -> int:
    found: int = await pool.fetchval("SELECT count(*) FROM llama_logs WHERE traceparent = $1", TRACEPARENT)
    return found


async def test_a_repair_fills_the_trace_with_the_producer_but_not_alone(upgraded: Installation) -> None:
    assert await rows_of_the_trace(upgraded.pool) == 0
    await upgraded.repaired()
    assert await rows_of_the_trace(upgraded.pool) == len(OLD)

    await upgraded.pool.execute("UPDATE llama_logs SET traceparent = NULL WHERE job_id = 'root-1'")
    left = await rows_of_the_trace(upgraded.pool)
    assert left < len(OLD)
    assert (await upgraded.repaired()).differences.rows == 0
    assert await rows_of_the_trace(upgraded.pool) == left


async def test_a_row_of_another_producer_than_the_topic_has_is_repaired(upgraded: Installation) -> None:
    await upgraded.repaired()
    await upgraded.pool.execute(
        "UPDATE llama_logs SET producer_id = (SELECT id FROM event_producers WHERE source = '/new') "
        "WHERE job_id = 'root-1'"
    )
    report = await upgraded.repaired()
    assert report.differences.by_column.keys() == {"producer"}
    assert differences(await stored_rows(upgraded.pool), [*OLD, *NEW]) == []


async def test_an_event_of_another_producer_does_not_replace_the_first_of_its_id(
    upgraded: Installation,
) -> None:
    """Of a row recorded before producers were the one that an empty table would get is filled in."""
    await upgraded.repaired()
    upgraded.publish([replace(one, source="/forged") for one in OLD[:3]])
    await upgraded.ingest_all()
    assert (await upgraded.rebuilt()).differences.rows == 0
    await upgraded.pool.execute("UPDATE llama_logs SET producer_id = NULL WHERE id = $1", UUID(OLD[0].id))
    await upgraded.repaired()
    assert differences(await stored_rows(upgraded.pool), [*OLD, *NEW]) == []


async def test_an_empty_table_gets_the_producers_and_traces(upgraded: Installation) -> None:
    await upgraded.pool.execute("DELETE FROM llama_logs; DELETE FROM event_producers")
    assert (await upgraded.rebuilt()).loaded
    assert differences(await stored_rows(upgraded.pool), [*OLD, *NEW]) == []


async def test_a_missing_row_of_a_producer_never_seen_is_inserted(upgraded: Installation) -> None:
    await upgraded.repaired()
    await upgraded.pool.execute("DELETE FROM llama_logs WHERE job_id = 'new'")
    await upgraded.pool.execute("DELETE FROM event_producers WHERE source = '/new'")
    await upgraded.repaired()
    assert differences(await stored_rows(upgraded.pool), [*OLD, *NEW]) == []


async def test_a_removed_row_is_archived_with_its_producer_by_name(upgraded: Installation) -> None:
    await upgraded.pool.execute("UPDATE llama_logs SET id = $1 WHERE job_id = 'new'", UUID(int=9999))
    await upgraded.repaired()
    kept = await upgraded.pool.fetchval("SELECT content FROM removed_rows")
    assert kept["producer"] == "/new"
    assert "producer_id" not in kept
