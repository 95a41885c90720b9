"""`--repair`: exactly the differing rows are repaired and published, also while events are ingested."""

import asyncio
from collections.abc import AsyncIterator, Collection
from itertools import count
from uuid import UUID

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.provenance import as_stored
from harness.rebuilding import PARTITIONS, TAMPERED, Installation, rows_as_text, tamper
from harness.waiting import eventually
from histories import chains, event, override
from llamalog_schemas.events import Event
from llamalog_service.domain.rows import StoredRow
from llamalog_service.log.outbox import ProvenanceOutbox

ROW_GONE, ROW_FORGED = str(UUID(int=4)), str(UUID(int=9999))
EVENTS: list[Event] = [*chains(30), event(101), event(102, None, "gone"), event(103, "orphan", "never")]


@pytest.fixture
async def at_rest(pool: asyncpg.Pool) -> Installation:
    installation = Installation(pool)
    installation.publish([*EVENTS, override(104, "never")])
    await installation.ingest_all()
    return installation


async def test_exactly_the_tampered_rows_are_repaired_and_published(at_rest: Installation) -> None:
    rows, revisions = await rows_as_text(at_rest.pool), await at_rest.revisions()
    await tamper(at_rest.pool)
    report = await at_rest.repaired()
    assert at_rest.named == TAMPERED
    assert report.repaired == 5
    assert await rows_as_text(at_rest.pool) == rows
    raised = {row for row, revision in (await at_rest.revisions()).items() if revision != revisions[row]}
    assert raised == {row for kind, row in TAMPERED if kind != "extra"}
    stored = await stored_rows(at_rest.pool)
    assert {row: record for row, record in at_rest.kept.provenance.items() if row in stored} == as_stored(
        stored
    )
    assert await at_rest.pool.fetchval("SELECT count(*) FROM provenance_outbox") == 0
    assert (await at_rest.rebuilt()).differences.rows == 0


async def test_a_repair_of_a_table_at_rest_changes_nothing(at_rest: Installation) -> None:
    before, published = await at_rest.revisions(), len(at_rest.kept.by_topic["tests.provenance"])
    assert (await at_rest.repaired()).repaired == 0
    assert await at_rest.revisions() == before
    assert len(at_rest.kept.by_topic["tests.provenance"]) == published


async def test_a_row_that_is_inserted_again_has_a_revision_above_any_published(at_rest: Installation) -> None:
    """Even if it had the highest of all; and no published revision is lowered."""
    await at_rest.pool.execute("UPDATE llama_logs SET revision = 70 WHERE id = $1", ROW_GONE)
    await at_rest.pool.execute("DELETE FROM llama_logs WHERE id = $1", ROW_GONE)
    await at_rest.repaired()
    assert (await at_rest.revisions())[ROW_GONE] > 70
    await at_rest.pool.execute("UPDATE llama_logs SET revision = 900000000 WHERE id = $1", str(UUID(int=1)))
    await at_rest.pool.execute("DELETE FROM llama_logs WHERE id = $1", ROW_GONE)
    await at_rest.repaired()
    assert (await at_rest.revisions())[ROW_GONE] == 900_000_001


async def test_a_whole_lost_table_is_inserted_again(at_rest: Installation) -> None:
    rows = await rows_as_text(at_rest.pool)
    await at_rest.pool.execute("DELETE FROM llama_logs")
    report = await at_rest.repaired()
    assert (report.differences.missing, report.repaired) == (33, 33)
    assert await rows_as_text(at_rest.pool) == rows


async def test_lost_and_changed_overrides_are_repaired_with_the_roots_below(at_rest: Installation) -> None:
    rows = await rows_as_text(at_rest.pool)
    await at_rest.pool.execute("UPDATE root_overrides SET adopted = false")
    await at_rest.pool.execute(
        "UPDATE llama_logs SET root_job_id = NULL, origin = 'PENDING' WHERE job_id = 'orphan'"
    )
    report = await at_rest.repaired()
    assert (report.overrides_differing, report.differences.different) == (1, 1)
    assert await rows_as_text(at_rest.pool) == rows
    await at_rest.pool.execute("DELETE FROM root_overrides")
    assert (await at_rest.repaired()).overrides_differing == 1
    assert await at_rest.pool.fetchval("SELECT adopted FROM root_overrides")


async def test_a_changed_lineage_is_repaired_with_all_roots_below(at_rest: Installation) -> None:
    rows = await rows_as_text(at_rest.pool)
    await at_rest.pool.execute("UPDATE llama_logs SET parent_job_id = 'root-4' WHERE job_id = 'child-1'")
    await at_rest.pool.execute(
        "UPDATE llama_logs SET root_job_id = 'root-4' WHERE job_id IN ('child-1', 'grandchild-1')"
    )
    assert (await at_rest.repaired()).differences.different == 2
    assert await rows_as_text(at_rest.pool) == rows


async def test_while_events_are_ingested_the_same_rows_are_repaired_and_the_log_is_the_fold(
    at_rest: Installation,
) -> None:
    await tamper(at_rest.pool)
    coming: list[Event] = []
    is_repaired = asyncio.Event()

    async def ingest() -> None:
        """Children before and after their parents, none of them in a lineage that was tampered with."""
        for number in count(1000, 4):
            some: list[Event] = [
                event(number, f"late-{number}", f"top-{number}"),
                event(number + 1, f"below-{number}", f"child-{number // 4 % 8 * 3 + 7}"),
                event(number + 2, f"top-{number}", "root-7"),
            ]
            coming.extend(some)
            at_rest.publish(some)
            for partition in range(PARTITIONS):
                await at_rest.ingest(partition)
            await at_rest.settle()
            if is_repaired.is_set():
                return

    async def until_more_is_ingested() -> None:
        enough = len(coming) + 12

        async def is_ingested() -> bool:
            return len(coming) > enough

        await eventually(is_ingested)

    ingesting = asyncio.create_task(ingest())
    await until_more_is_ingested()
    report = await at_rest.repaired(between=until_more_is_ingested, convergence_timeout=5.0)
    is_repaired.set()
    await ingesting
    assert [(line["kind"], line["id"]) for line in at_rest.lines if not line["correctedMeanwhile"]] == [
        (kind, row) for kind, row in sorted(TAMPERED, key=lambda named: named[1])
    ]
    assert report.repaired == 5
    assert differences(await stored_rows(at_rest.pool), [*EVENTS, *coming, override(104, "never")]) == []
    assert (await at_rest.rebuilt()).differences.rows == 0


async def test_a_forged_row_whose_event_comes_while_it_is_deleted_stays(at_rest: Installation) -> None:
    """The consumer found the forged row, took the event for a conflict, and will not read it again."""
    await tamper(at_rest.pool)
    coming = event(9999, "coming", "root-1")

    async def publish() -> None:
        at_rest.publish([coming], 2)
        await at_rest.ingest(2)

    report = await at_rest.repaired(between=publish)
    assert (report.repaired, report.deleted, report.restored) == (5, 1, 1)
    assert len(at_rest.kept.dead_letters) == 1
    assert differences(await stored_rows(at_rest.pool), [*EVENTS, coming, override(104, "never")]) == []
    assert (await at_rest.rebuilt()).differences.rows == 0


CORRECT = """
    WITH raised AS (UPDATE llama_logs SET revision = revision + 1 WHERE id = $1 RETURNING id, revision)
    INSERT INTO provenance_outbox (row_id, revision) SELECT id, revision FROM raised
"""


async def test_a_correction_during_the_publishing_of_a_repair_is_published_after_it(
    at_rest: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compaction keeps what comes last, which may be the older record."""
    await tamper(at_rest.pool)
    row = UUID(int=6)
    read = ProvenanceOutbox.rows_in_portions

    async def read_then_correct(
        self: ProvenanceOutbox, ids: Collection[UUID]
    ) -> AsyncIterator[list[StoredRow]]:
        async for stored in read(self, ids):
            if row in {each.content.id for each in stored}:
                monkeypatch.setattr(ProvenanceOutbox, "rows_in_portions", read)
                await at_rest.pool.execute(CORRECT, row)
            yield stored

    monkeypatch.setattr(ProvenanceOutbox, "rows_in_portions", read_then_correct)
    await at_rest.repaired()
    assert await at_rest.pool.fetchval("SELECT count(*) FROM provenance_outbox WHERE row_id = $1", row) == 1
