"""`--repair` where the table's owner protects some rows: the others are repaired, the report lists them."""

from uuid import UUID

import asyncpg
import pytest

from harness.catalogue import catalogue
from harness.log_table import stored_rows
from harness.owners import add_trigger, drop_trigger
from harness.rebuilding import Installation
from histories import chains, event, override

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


@pytest.fixture
async def empty(pool: asyncpg.Pool) -> Installation:
    """An empty table, and the topic that it is loaded from."""
    installation = Installation(pool)
    installation.publish([*chains(30), event(101), override(104, "never"), override(105, "not-this")])
    return installation


RULES = {
    "raises": f"IF NEW.id = '{REFUSED}' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW;",
    "drops": f"IF NEW.id = '{REFUSED}' THEN RETURN NULL; END IF; RETURN NEW;",
}


@pytest.mark.parametrize("rule", [*RULES, "check", "at the commit"])
async def test_an_initial_load_leaves_out_what_is_refused(
    empty: Installation, rule: str, database_url: str
) -> None:
    pool = empty.pool
    match rule:
        case "check":
            await pool.execute(f"ALTER TABLE llama_logs ADD CONSTRAINT owners CHECK (id <> '{REFUSED}')")
        case "at the commit":
            await add_trigger(pool, "AFTER INSERT", RULES["raises"], deferred=True)
        case _:
            await add_trigger(pool, "BEFORE INSERT", RULES[rule])
    await pool.execute("ALTER TABLE root_overrides ADD CONSTRAINT owners CHECK (job_id <> 'not-this')")
    before = await catalogue(database_url)
    report = await empty.rebuilt()
    assert (report.loaded, report.unrepaired) == (True, 2)
    assert report.refusals.keys() == {REFUSED, str(UUID(int=105))}
    assert len(await stored_rows(pool)) == 30
    assert UUID(REFUSED) not in await stored_rows(pool)
    assert [row["job_id"] for row in await pool.fetch("SELECT job_id FROM root_overrides")] == ["never"]
    assert await catalogue(database_url) == before
    again = await empty.rebuilt()
    assert [line["id"] for line in empty.lines] == [REFUSED]
    assert (again.differences.missing, again.overrides_differing) == (1, 1)


async def test_an_override_that_is_refused_leaves_the_repair_going(at_rest: Installation) -> None:
    pool = at_rest.pool
    at_rest.publish([override(104, "never"), override(105, "not-this")])
    await at_rest.ingest_all()
    await pool.execute("DELETE FROM root_overrides")
    await pool.execute("ALTER TABLE root_overrides ADD CONSTRAINT owners CHECK (job_id <> 'not-this')")
    await pool.execute(f"UPDATE llama_logs SET operation = 'edited' WHERE id = '{REFUSED}'")
    report = await at_rest.repaired()
    assert (report.repaired, report.unrepaired) == (1, 1)
    assert list(report.refusals) == [str(UUID(int=105))]
    assert [row["job_id"] for row in await pool.fetch("SELECT job_id FROM root_overrides")] == ["never"]
