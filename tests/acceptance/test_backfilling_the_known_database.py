"""The known database backfilled by command: Kafka, a migration consumer, and its topics."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from harness.adopter import Adopter
from harness.commands import llamalog_here
from harness.installation import installation
from harness.legacy.database import changed_values, differences, make_known_database, read_outcome, read_table
from harness.legacy.known import ROWS
from harness.legacy.oracle import adopted
from harness.legacy.schemas import StartingPoint
from harness.log_table import stored_rows
from harness.provenance import as_stored, believed
from harness.service import running
from harness.topics import read_all
from harness.waiting import eventually
from llamalog_schemas.backfills import BackfillEnded, BackfillProgressed, RunStatus
from llamalog_schemas.codec import decode_backfill_event
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.pool import create_pool
from llamalog_service.settings import Settings
from llamalog_tools.devstack import LocalStack


@pytest.fixture
async def installed(adopter: Adopter, stack: LocalStack) -> AsyncIterator[Settings]:
    """An installation on the adopter's database, in which no sweep is the first to look at a row."""
    async with installation(stack, adopter.url, f"test-{uuid4().hex[:8]}.") as settings:
        yield settings.model_copy(update={"sweep_seconds": 3600.0, "full_sweep_seconds": 3600.0})


async def test_a_backfill_requested_by_command_corrects_every_row_and_publishes_it(
    adopter: Adopter, installed: Settings, tmp_path: Path
) -> None:
    await make_known_database(adopter.url, StartingPoint.ROOTS, lost_tops=True)
    before = await read_table(adopter.url, "llama_logs")
    await migrate(adopter.url)
    names = topics(installed.topic_prefix)

    async with (
        running("migration-consumer", installed, tmp_path),
        create_pool(adopter.url, min_size=0) as pool,
    ):
        ended = await llamalog_here(
            *("backfill", "start", "--missing-parent", "adopt", "--watch", "--json"),
            *("--batch-size", "500", "--rate", "2000", "--expect", f"rows={ROWS},roots=1537,adopted=12"),
            environment=installed.as_environment(),
        )

        async def every_correction_is_published() -> bool:
            return not await pool.fetchval("SELECT EXISTS (SELECT FROM provenance_outbox)")

        await eventually(every_correction_is_published)
        stored = await stored_rows(pool)

    assert ended.code == 0, ended.err
    accepted, *states = ended.json_lines
    assert (states[-1]["status"], states[-1]["set"]) == ("completed", ROWS)
    after = await read_table(adopter.url, "llama_logs")
    assert changed_values(before, after, but=["parent_job_id", "root_job_id"]) == []
    assert differences(await read_outcome(adopter.url), adopted(before.rows.values())) == []

    corrections = await read_all(installed.kafka, names.provenance.name)
    assert believed(record.value for record in corrections) == as_stored(stored)
    assert {row.revision for row in stored.values()} == {2}

    events = await read_all(installed.kafka, names.backfill_events.name)
    assert {record.key for record in events} == {accepted["run"].encode()}
    *progress, end = [decode_backfill_event(record.value) for record in events]
    assert any(
        isinstance(message, BackfillProgressed) and 0 < message.data.set_ < ROWS for message in progress
    )
    assert isinstance(end, BackfillEnded)
    assert (end.data.run, end.data.status, end.data.set_) == (
        UUID(accepted["run"]),
        RunStatus.COMPLETED,
        ROWS,
    )
