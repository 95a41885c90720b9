"""`llamalog genesis` over Kafka: an adopted table's rows come back from the topic alone."""

from pathlib import Path
from uuid import UUID

import asyncpg

from harness.environments import environment_of
from harness.log_table import empty_tables
from harness.rebuilding import rows_as_text
from harness.started_commands import llamalog
from harness.topics import publish
from histories import chains
from llamalog_service.backfill.sweep import Sweep
from llamalog_service.settings import Settings
from llamalog_service.store.recompute import RecomputeStore

LEGACY = """
    INSERT INTO llama_logs (
        id, operation, category, status, job_id, is_root_job, created_at, metadata, recorded_at
    )
    SELECT md5(n::text)::uuid, 'old', 'CREATED', 'SUCCESS', 'old-' || n, true, '2024-01-01', '{"n": 1e400}',
           (SELECT before::timestamptz FROM migration_journal WHERE kind = 'taken over')
    FROM generate_series(1, 1200) n
"""


async def test_an_adopted_table_comes_back_from_the_topic_alone(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    environment = environment_of(settings)
    await pool.execute(LEGACY)
    await Sweep(RecomputeStore(pool), every=1, full_every=9, clock=lambda: 0).sweep_everything()
    rows = await rows_as_text(pool)
    refused = await llamalog("rebuild", environment=environment, folder=tmp_path)
    assert (refused.code, "1,200 rows and 0 decrees" in refused.err) == (1, True)

    told = await llamalog("genesis", "--json", environment=environment, folder=tmp_path)
    assert (told.code, told.json) == (0, {"rows": 1200, "decrees": 0, "untellable": []})
    again = await llamalog("genesis", environment=environment, folder=tmp_path)
    assert "0 rows and 0 decrees were told." in again.out

    await empty_tables(pool)
    await publish(settings, chains(3))
    filled = await llamalog("rebuild", "--json", environment=environment, folder=tmp_path)
    assert (filled.code, filled.json["rebuilt"]["rows"]) == (0, 1203)
    await pool.execute(
        "DELETE FROM llama_logs WHERE id = ANY($1)", [UUID(int=number) for number in (1, 2, 3)]
    )
    assert await rows_as_text(pool) == rows
