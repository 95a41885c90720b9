"""What the tables hold: gauges, depths, and what a recompute has changed."""

import asyncpg
import pytest
from structlog.testing import capture_logs

from harness.databases import run_sql
from harness.writers import KeptMessages, Writer
from histories import event
from llamalog_service.log.recompute import RecomputeStore, recompute_until_converged
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import sql
from llamalog_service.queries.counts import read_depths, read_table_stats
from llamalog_service.telemetry.prometheus import LARGE_BYTES, PrometheusMetrics, TableGauges


def sample(metrics: PrometheusMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_a_late_parent_is_measured_by_what_it_made_known(pool: asyncpg.Pool) -> None:
    writer, metrics = Writer(pool, KeptMessages()), PrometheusMetrics()
    await writer.write(event(1, "child", "parent"), event(2, "child", "another"), event(3, "below", "child"))
    await writer.write(event(4, "parent"))
    store = RecomputeStore(pool, metrics)
    await recompute_until_converged(store, ["parent"])
    assert sample(metrics, "llamalog_rows_corrected_total", origin="RESOLVED") == 3
    assert sample(metrics, "llamalog_time_to_root_seconds_count") == 3
    assert sample(metrics, "llamalog_chain_depth_max") == 2

    await writer.write(event(5, "parent", "top", declared="wrong"), event(6, "top"))
    await recompute_until_converged(store, ["parent", "top"])
    assert sample(metrics, "llamalog_time_to_root_seconds_count") == 3, "their root had been known before"
    assert sample(metrics, "llamalog_chain_depth_max") == 3


async def test_rows_that_turn_out_to_disagree_are_counted_when_they_do(pool: asyncpg.Pool) -> None:
    writer, metrics = Writer(pool, KeptMessages()), PrometheusMetrics()
    await writer.write(event(5, "child", "parent", declared="wrong"), event(6, "other", "parent"))
    await writer.write(
        event(7, "parent"), event(1, "child", "parent", declared="wrong"), event(2, "other", "x")
    )
    store = RecomputeStore(pool, metrics)
    await recompute_until_converged(store, ["parent", "child", "other"])
    assert sample(metrics, "llamalog_declaration_conflicts_total") == 1
    assert sample(metrics, "llamalog_parent_conflicts_total") == 1
    await recompute_until_converged(store, ["parent", "child", "other"])
    assert sample(metrics, "llamalog_declaration_conflicts_total") == 1


async def test_gauges_show_the_tables_as_they_are(pool: asyncpg.Pool) -> None:
    writer, metrics = Writer(pool, KeptMessages()), PrometheusMetrics()
    reader, gauges = Reader(pool), TableGauges(metrics.registry)
    await writer.write(event(1, "child", "parent"), event(2, "other", "lost", declared="declared"))
    await pool.execute(
        "INSERT INTO backfill_runs (id, kind, jobs, reason, status) "
        "VALUES (gen_random_uuid(), 'recompute-roots', '{}', 'test', 'queued')"
    )
    await pool.execute("INSERT INTO provenance_outbox (row_id, revision) SELECT id, 2 FROM llama_logs")
    await pool.execute(
        "INSERT INTO refused_rows (row_id, write, sqlstate, reason) "
        "SELECT id, 'root', '23514', 'a test' FROM llama_logs"
    )
    gauges.set(await read_table_stats(reader))
    assert sample(metrics, "llamalog_refused_rows") == 2
    assert sample(metrics, "llamalog_unresolved_rows", origin="PENDING") == 1
    assert sample(metrics, "llamalog_unresolved_rows", origin="DECLARED") == 1
    assert sample(metrics, "llamalog_unresolved_rows", origin="UNPROCESSED") == 0
    age = sample(metrics, "llamalog_unresolved_rows_oldest_age_seconds", origin="PENDING")
    assert age is not None
    assert 0 < age < 60
    assert sample(metrics, "llamalog_runs", status="queued") == 1
    assert sample(metrics, "llamalog_outbox_rows") == 2

    await pool.execute("DELETE FROM llama_logs; DELETE FROM backfill_runs; DELETE FROM provenance_outbox")
    gauges.set(await read_table_stats(reader))
    assert sample(metrics, "llamalog_unresolved_rows", origin="PENDING") == 0
    assert sample(metrics, "llamalog_runs", status="queued") == 0
    assert sample(metrics, "llamalog_outbox_oldest_age_seconds") == 0


async def test_a_large_table_is_logged_once(pool: asyncpg.Pool) -> None:
    assert LARGE_BYTES == 500 * 1024 * 1024
    reader, gauges = Reader(pool), TableGauges(PrometheusMetrics().registry, large=1)
    with capture_logs() as logs:
        gauges.set(await read_table_stats(reader))
        gauges.set(await read_table_stats(reader))
    assert [line["event"] for line in logs] == ["large table"]


async def test_the_depth_of_what_was_recorded_last_is_looked_at(pool: asyncpg.Pool) -> None:
    metrics = PrometheusMetrics()
    writer = Writer(pool, KeptMessages())
    await writer.write(event(1, "job-0"))
    await writer.write(*[event(at + 1, f"job-{at}", f"job-{at - 1}") for at in range(1, 10)])
    await writer.write(event(20, "one", "other"), event(21, "other", "one"))
    metrics.jobs({"job-9"})
    with capture_logs() as logs:
        for job, depth in (await read_depths(Reader(pool), metrics.sample_jobs(20))).items():
            metrics.depth(depth, job)
    assert sample(metrics, "llamalog_chain_depth_max") == 9
    assert [(line["event"], line["job"]) for line in logs] == [("deep chain", "job-9")]
    metrics.jobs({"one"})
    for job, depth in (await read_depths(Reader(pool), metrics.sample_jobs(20))).items():
        metrics.depth(depth, job)
    assert sample(metrics, "llamalog_deep_chains_total") == 1, "a cycle has no depth"


@pytest.mark.parametrize(
    "statement", ["gauge_unresolved", "gauge_outbox", "gauge_refused", "gauge_size", "chain_depth"]
)
async def test_what_is_sampled_never_reads_the_whole_table(database_url: str, statement: str) -> None:
    fill = """
        INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, root_job_id, origin)
        SELECT gen_random_uuid(), 'test', 'CREATED', 'SUCCESS', 'job-' || n, 'job-' || (n / 30) * 30,
               'job-' || (n / 30) * 30,
               (CASE WHEN n % 1000 = 0 THEN 'PENDING' ELSE 'RESOLVED' END)::"LlamaLogOrigin"
        FROM generate_series(1, 60000) n
    """
    await run_sql(database_url, fill, "ANALYZE llama_logs")
    text = sql(statement).replace("$1::text[]", "ARRAY['job-211', 'job-212']").replace("$1", "100000")
    plan = [row[0] for row in await run_sql(database_url, f"EXPLAIN {text}")]
    assert not [line for line in plan if "Seq Scan on llama_logs" in line], plan
