"""Rows written by the compiled kernel are those that the driver writes, on every table that takes them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.counted_kernels import CountedKernel
from harness.hostile_rows import CONTENTS, ROOTS
from harness.log_table import NOTHING_READ, differences, stored_rows
from histories import chains, event
from llamalog_service import kernels
from llamalog_service.domain.fold import fold
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.row_copy import COLUMNS

compiled = kernels.compiled or pytest.skip(
    "the kernels are not compiled: `make test-compiled`", allow_module_level=True
)
_EVERY_COLUMN = f"SELECT {', '.join(COLUMNS)} FROM llama_logs ORDER BY id"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedKernel:
    counted = CountedKernel(compiled, "copy_data")
    monkeypatch.setattr(kernels, "compiled", counted)
    return counted


async def written(
    pool: asyncpg.Pool, rows: Sequence[RowContent], roots: Sequence[Root]
) -> list[tuple[Any, ...]]:
    await pool.execute("DELETE FROM llama_logs")
    await LogStore(pool).write(rows, roots, [], NOTHING_READ)
    return [tuple(record) for record in await pool.fetch(_EVERY_COLUMN)]


@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(CONTENTS, min_size=1, max_size=12, unique_by=lambda row: row.id), st.data())
async def test_rows_are_those_of_the_driver(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, rows: list[RowContent], data: st.DataObject
) -> None:
    roots = [data.draw(ROOTS) for _ in rows]
    monkeypatch.setattr(kernels, "compiled", counted := CountedKernel(compiled, "copy_data"))
    by_kernel = await written(pool, rows, roots)
    assert counted.copies == 1
    monkeypatch.setattr(kernels, "compiled", None)
    assert by_kernel == await written(pool, rows, roots)


async def test_more_rows_than_are_encoded_at_once(pool: asyncpg.Pool, counted: CountedKernel) -> None:
    events = chains(1_700)
    rows = list(fold(events).values())
    await LogStore(pool).write([row.content for row in rows], [row.root for row in rows], [], NOTHING_READ)
    assert counted.copies == 4
    assert differences(await stored_rows(pool), events) == []


async def test_a_row_that_was_removed_before_begins_with_a_higher_revision(
    pool: asyncpg.Pool, counted: CountedKernel
) -> None:
    await pool.execute(
        "INSERT INTO removed_rows (row_id, content) VALUES ($1, $2)", UUID(int=1), {"revision": 41}
    )
    (row,) = fold([event(1, job="job")]).values()
    committed = await LogStore(pool).write([row.content], [row.root], [], NOTHING_READ)
    assert committed.revisions == {UUID(int=1): 42}
    assert (await stored_rows(pool))[UUID(int=1)].revision == 42
    assert counted.copies == 1


@pytest.mark.parametrize(
    ("column", "type_", "copies"),
    [
        ("job_id", "text", 1),
        ("reason", "varchar", 1),
        ("data_quality_after", "text", 1),
        ("sources", "text[]", 1),
        ("fields_enriched", "varchar[]", 1),
        ("operation", "char(60)", 0),
        ("duration_ms", "bigint", 0),
        ("metadata", "json", 0),
        ("created_at", "timestamptz", 0),
    ],
)
async def test_an_adopted_table_with_other_types(
    pool: asyncpg.Pool, counted: CountedKernel, column: str, type_: str, copies: int
) -> None:
    """The kernel writes types that are sent alike; every other one is the driver's, with its own errors."""
    # Its expression names times without a zone: who gives created_at one later builds the index anew.
    await pool.execute("DROP INDEX llama_logs_entity_id_hash_second_idx")
    await pool.execute(f"ALTER TABLE llama_logs ALTER {column} DROP DEFAULT, ALTER {column} TYPE {type_}")
    events = chains(3)
    rows = list(fold(events).values())
    store = LogStore(pool)
    try:
        await store.write([row.content for row in rows], [row.root for row in rows], [], NOTHING_READ)
    except Exception:
        assert copies == 0
    else:
        assert await pool.fetchval("SELECT count(*) FROM llama_logs") == len(events)
    assert counted.copies == copies


async def test_a_type_that_changes_while_the_process_runs_is_noticed(
    pool: asyncpg.Pool, counted: CountedKernel
) -> None:
    store = LogStore(pool)
    for number, type_ in ((1, "integer"), (2, "bigint")):
        await pool.execute(f"ALTER TABLE llama_logs ALTER duration_ms TYPE {type_}")
        (row,) = fold([event(number, job=f"job-{number}")]).values()
        await store.write([row.content], [row.root], [], NOTHING_READ)
    assert counted.copies == 1
    assert len(await stored_rows(pool)) == 2
