"""Rows that the compiled kernel writes into the shadow are those that the driver writes."""

from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.counted_kernels import CountedKernel
from harness.hostile_rows import CONTENTS
from harness.log_table import differences, stored_rows
from harness.rebuilding import Installation
from histories import chains
from llamalog_service import kernels
from llamalog_service.domain.rows import RowContent
from llamalog_service.rebuild.ports import MessagePosition
from llamalog_service.rebuild.shadow import ShadowBatch, ShadowStore

compiled = kernels.compiled or pytest.skip(
    "the kernels are not compiled: `make test-compiled`", allow_module_level=True
)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedKernel:
    counted = CountedKernel(compiled, "placed_data")
    monkeypatch.setattr(kernels, "compiled", counted)
    return counted


PLACED = st.tuples(
    CONTENTS,
    st.builds(MessagePosition, st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1) | st.just(2**63 - 1)),
)


async def written(pool: asyncpg.Pool, placed: list[tuple[RowContent, MessagePosition]]) -> list[Any]:
    store = ShadowStore(pool)
    await store.discard()
    await store.create_or_resume(topic="", source="", begun_by="", needs_all_labels=True)
    await store.write(ShadowBatch([row for row, _ in placed], [position for _, position in placed]))
    return [tuple(record) for record in await pool.fetch("SELECT * FROM llamalog_rebuild.llama_logs")]


@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(PLACED, min_size=1, max_size=12))
async def test_rows_are_those_of_the_driver(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, placed: list[tuple[RowContent, MessagePosition]]
) -> None:
    monkeypatch.setattr(kernels, "compiled", counted := CountedKernel(compiled, "placed_data"))
    by_kernel = await written(pool, placed)
    assert counted.copies == 1
    monkeypatch.setattr(kernels, "compiled", None)
    assert by_kernel == await written(pool, placed)


@pytest.mark.parametrize(
    ("column", "type_", "is_known"),
    [("reason", "varchar", True), ("duration_ms", "bigint", False), ("operation", "char(60)", False)],
)
async def test_a_table_that_was_adopted_with_other_types(
    pool: asyncpg.Pool, counted: CountedKernel, column: str, type_: str, is_known: bool
) -> None:
    await pool.execute(f"ALTER TABLE llama_logs ALTER {column} TYPE {type_}")
    installation = Installation(pool)
    events = chains(3)
    installation.publish(events)
    report = await installation.rebuilt()
    assert (report.loaded, report.unrepaired) == (True, 0)
    assert (counted.copies > 0) == is_known
    if type_ != "char(60)":  # which pads
        assert differences(await stored_rows(pool), events) == []
