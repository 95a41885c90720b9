"""`--repair` where the table's owner protects some rows: the others are repaired, the report lists them."""

from uuid import UUID

import asyncpg
import pytest

from harness.log_table import stored_rows
from harness.owners import add_trigger, drop_trigger
from harness.rebuilding import Installation
from histories import chains

REFUSED = str(UUID(int=2))
ROW = f"OLD.id = '{REFUSED}'"
OWNERS = {
    "raises": ("BEFORE UPDATE", f"IF {ROW} THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW;"),
    "drops": ("BEFORE UPDATE", f"IF {ROW} THEN RETURN NULL; END IF; RETURN NEW;"),
    "keeps": ("BEFORE UPDATE", f"IF {ROW} THEN RETURN OLD; END IF; RETURN NEW;"),
}


@pytest.fixture
async def at_rest(pool: asyncpg.Pool) -> Installation:
    installation = Installation(pool)
    installation.publish(chains(30))
    await installation.ingest_all()
    return installation


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("change", ["operation = 'edited'", "root_job_id = 'wrong'"])
async def test_rows_that_are_not_repaired_are_reported_as_such(
    at_rest: Installation, owner: str, change: str
) -> None:
    await at_rest.pool.execute(f"UPDATE llama_logs SET {change} WHERE id < '{UUID(int=13)}'")
    await add_trigger(at_rest.pool, *OWNERS[owner])
    report = await at_rest.repaired()
    assert (report.differences.rows, report.repaired, report.unrepaired) == (12, 11, 1)
    assert list(report.refusals) == [REFUSED]
    again = await at_rest.rebuilt()
    assert [line["id"] for line in at_rest.lines] == [REFUSED]
    assert again.differences.rows == 1
    await drop_trigger(at_rest.pool)
    report = await at_rest.repaired()
    assert (report.repaired, report.unrepaired, report.refusals) == (1, 0, {})
    assert (await at_rest.rebuilt()).differences.rows == 0


async def test_a_row_that_is_neither_deleted_nor_inserted_is_reported(at_rest: Installation) -> None:
    await at_rest.pool.execute(
        "DELETE FROM llama_logs WHERE id = ANY ($1::uuid[])", [REFUSED, str(UUID(int=3))]
    )
    await at_rest.pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, origin, legacy_sourced) SELECT "
        "('00000000-0000-0000-0000-0000000010' || n)::uuid, 'x', 'CREATED', 'SUCCESS', 'UNTRACKED', NULL "
        "FROM generate_series(10, 11) n"
    )
    kept = "00000000-0000-0000-0000-000000001010"
    await add_trigger(
        at_rest.pool,
        "BEFORE INSERT OR DELETE",
        f"IF TG_OP = 'DELETE' THEN IF OLD.id = '{kept}' THEN RETURN NULL; END IF; RETURN OLD; END IF; "
        f"IF NEW.id = '{REFUSED}' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW;",
    )
    report = await at_rest.repaired()
    assert (report.differences.rows, report.repaired, report.unrepaired) == (4, 2, 2)
    assert sorted(report.refusals) == [REFUSED, kept]
    assert "not this one" in report.refusals[REFUSED]
    assert UUID(int=3) in await stored_rows(at_rest.pool)
