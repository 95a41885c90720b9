"""Of several overrides about a job the latest counts, for rows that are recorded after them."""

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.writers import KeptMessages, Writer
from histories import event, override
from llamalog_schemas.events import Event
from llamalog_schemas.provenance import Origin

ADOPTED = override(1, "lost", at=10)
REVOKED = override(2, "lost", adopted=False, at=20)
ADOPTED_AGAIN = override(3, "lost", at=30)


@pytest.mark.parametrize(
    ("overrides", "origin"),
    [
        ([ADOPTED, REVOKED], Origin.PENDING),
        ([REVOKED, ADOPTED], Origin.PENDING),
        ([ADOPTED, REVOKED, ADOPTED_AGAIN], Origin.ADOPTED),
    ],
    ids=["revoked", "revoked, out of order", "adopted again"],
)
async def test_a_row_recorded_after_several_overrides_follows_the_latest(
    pool: asyncpg.Pool, overrides: list[Event], origin: Origin
) -> None:
    await Writer(pool, KeptMessages(), 0).write(*overrides)
    child = event(4, "child", "lost")
    await Writer(pool, KeptMessages(), 1).write(child)
    stored = await stored_rows(pool)
    assert [row.root.origin for row in stored.values()] == [origin]
    assert differences(stored, [*overrides, child]) == []
