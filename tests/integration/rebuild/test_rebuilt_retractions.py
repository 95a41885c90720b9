"""A rebuild honours retractions: a retracted row is there, and claims and declares nothing."""

from uuid import UUID

import asyncpg
import pytest

from harness.log_table import differences, empty_tables, stored_rows
from harness.rebuilding import Installation
from histories import chains, event, retraction
from llamalog_schemas.events import Event

EVENTS: list[Event] = [*chains(9), event(50, "child-1", "other"), event(51, None, "grandchild-4")]
RETRACTIONS = [retraction(90, 2), retraction(91, 6), retraction(92, 8), retraction(93, 8, retracted=False)]
ALL: list[Event] = [*EVENTS, *RETRACTIONS]
RETRACTED = {UUID(int=2), UUID(int=6)}


@pytest.fixture
async def installation(pool: asyncpg.Pool) -> Installation:
    installation = Installation(pool)
    installation.publish(ALL)
    await installation.ingest_all()
    return installation


async def retracted(pool: asyncpg.Pool) -> set[UUID]:
    return {row for row, stored in (await stored_rows(pool)).items() if stored.retracted}


async def test_a_table_with_retracted_rows_equals_its_topics(installation: Installation) -> None:
    assert await retracted(installation.pool) == RETRACTED
    report = await installation.rebuilt()
    assert (report.differences.rows, report.overrides_differing) == (0, 0)
    assert report.live == report.rebuilt
    assert (await installation.repaired()).repaired == 0
    assert differences(await stored_rows(installation.pool), ALL) == []


async def test_retractions_that_no_worker_has_applied_are_differences_that_a_repair_removes(
    installation: Installation,
) -> None:
    installation.publish([retraction(94, 5)], partition=0)
    await installation.ingest(0, topic=installation.overrides)
    report = await installation.rebuilt()
    assert report.differences.by_column["retracted"] == 1
    await installation.repaired()
    assert differences(await stored_rows(installation.pool), [*ALL, retraction(94, 5)]) == []
    assert installation.kept.provenance[UUID(int=5)].retracted
    await installation.settle()
    assert (await installation.rebuilt()).differences.rows == 0


async def test_an_empty_table_is_loaded_with_its_retractions(installation: Installation) -> None:
    await empty_tables(installation.pool)
    report = await installation.rebuilt(initial_load=True)
    assert report.loaded
    assert differences(await stored_rows(installation.pool), ALL) == []
    await installation.settle()
    assert len({row.revision for row in (await stored_rows(installation.pool)).values()}) == 1
    assert await retracted(installation.pool) == RETRACTED


async def test_lost_retractions_are_differences_that_a_repair_brings_back(
    installation: Installation,
) -> None:
    await installation.pool.execute("DELETE FROM retractions")
    await installation.pool.execute("UPDATE llama_logs SET retracted = false")
    assert (await installation.rebuilt()).overrides_differing == 4
    await installation.repaired()
    await installation.settle()
    assert (await installation.rebuilt()).overrides_differing == 0
    assert differences(await stored_rows(installation.pool), ALL) == []


async def test_a_rebuild_that_is_resumed_after_a_revocation_takes_the_mark_back(
    installation: Installation,
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await installation.rebuilt(on_compared=interrupt)
    installation.publish([retraction(95, 2, retracted=False)], partition=0)
    await installation.ingest_all()
    report = await installation.rebuilt()
    assert report.differences.rows == 0
    assert await retracted(installation.pool) == {UUID(int=6)}


async def test_a_row_that_is_deleted_comes_back_retracted(installation: Installation) -> None:
    await installation.pool.execute("DELETE FROM llama_logs WHERE id = $1", UUID(int=2))
    await installation.repaired()
    assert differences(await stored_rows(installation.pool), ALL) == []
