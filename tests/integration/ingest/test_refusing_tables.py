"""A table whose owner refuses some rows: they become dead letters, and their neighbours are recorded."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.owners import add_trigger, become_plain_owner
from harness.writers import KeptMessages, Writer
from histories import chains, event
from llamalog_service.postgres.pool import create_pool

REFUSED = UUID(int=2)
"""The row `child-1` of `chains`."""

IS_REFUSED = "NEW.job_id = 'child-1'"
RAISE = f"IF {IS_REFUSED} THEN RAISE EXCEPTION 'not this one' {{using}}; END IF; RETURN NEW;"


async def record(pool: asyncpg.Pool) -> KeptMessages:
    """Ingest three chains, of which a row is refused."""
    kept = KeptMessages()
    events = chains(9)
    await Writer(pool, kept).write(*events)
    recorded = [told for told in events if UUID(told.id) != REFUSED]
    assert differences(await stored_rows(pool), recorded) == []
    assert set(kept.provenance) == {UUID(told.id) for told in recorded}
    (letter,) = kept.dead_letters
    assert ("llamalog-reason", b"refused-by-database") in letter.headers
    return kept


@pytest.mark.parametrize("using", ["", "USING ERRCODE = 'QQ001'", "USING ERRCODE = 'undefined_table'"])
async def test_a_row_for_which_a_trigger_raises_is_a_dead_letter(pool: asyncpg.Pool, using: str) -> None:
    await add_trigger(pool, "BEFORE INSERT", RAISE.format(using=using))
    await record(pool)


async def test_a_row_for_which_a_trigger_raises_at_the_commit_is_a_dead_letter(pool: asyncpg.Pool) -> None:
    await add_trigger(pool, "AFTER INSERT", RAISE.format(using=""), deferred=True)
    await record(pool)


async def test_a_row_whose_trigger_uses_what_is_not_there_is_a_dead_letter(pool: asyncpg.Pool) -> None:
    body = f"IF {IS_REFUSED} THEN PERFORM * FROM not_there; END IF; RETURN NEW;"
    await add_trigger(pool, "BEFORE INSERT", body)
    await record(pool)


async def test_a_row_that_a_trigger_drops_is_a_dead_letter(pool: asyncpg.Pool) -> None:
    await add_trigger(pool, "BEFORE INSERT", f"IF {IS_REFUSED} THEN RETURN NULL; END IF; RETURN NEW;")
    kept = await record(pool)
    (letter,) = kept.dead_letters
    assert b"drops" in dict(letter.headers)["llamalog-error"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "constraint",
    [
        "ALTER TABLE llama_logs ADD CONSTRAINT owners CHECK (job_id <> 'child-1')",
        "CREATE TABLE parents (job text PRIMARY KEY); INSERT INTO parents VALUES ('root-1'), ('root-4'), "
        "('root-7'), ('child-1'), ('child-4'), ('child-7'), ('grandchild-1'), ('grandchild-4'), "
        "('grandchild-7'); DELETE FROM parents WHERE job = 'child-1'; ALTER TABLE llama_logs ADD CONSTRAINT "
        "owners FOREIGN KEY (job_id) REFERENCES parents DEFERRABLE INITIALLY DEFERRED",
    ],
)
async def test_a_row_that_a_constraint_of_the_owner_refuses_is_a_dead_letter(
    pool: asyncpg.Pool, constraint: str
) -> None:
    await pool.execute(constraint)
    await record(pool)


async def test_an_id_that_a_key_of_another_name_knows_is_a_duplicate(pool: asyncpg.Pool) -> None:
    """An adopted table's primary key has the name that its owner gave it."""
    await pool.execute("ALTER INDEX llama_logs_pkey RENAME TO owners_key")
    kept = KeptMessages()
    writer = Writer(pool, kept)
    original = writer._ingest._store.rows_by_id
    looks = 0

    async def sees_nothing_at_first(ids: list[UUID]) -> object:
        nonlocal looks
        looks += 1
        return {} if looks == 1 else await original(ids)

    await Writer(pool, KeptMessages()).write(event(1, "job"))
    writer._ingest._store.rows_by_id = sees_nothing_at_first  # type: ignore[method-assign, assignment]
    outcome = await writer.write(event(1, "job"))
    assert (outcome.duplicates, outcome.dead_letters, kept.dead_letters) == (1, 0, [])


@pytest.fixture
async def owner(pool: asyncpg.Pool, database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections as the tables' owner, to whom policies apply once they are forced."""
    role = f"owner_{uuid4().hex}"
    await become_plain_owner(pool, role)
    async with create_pool(database_url, max_size=4, user=role, password=role) as owner:
        await owner.execute("ALTER TABLE llama_logs ENABLE ROW LEVEL SECURITY")
        await owner.execute("ALTER TABLE llama_logs FORCE ROW LEVEL SECURITY")
        yield owner
    await pool.execute(f"REASSIGN OWNED BY {role} TO current_user; DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_row_that_a_policy_refuses_is_a_dead_letter(owner: asyncpg.Pool) -> None:
    await owner.execute("CREATE POLICY owners ON llama_logs USING (true) WITH CHECK (job_id <> 'child-1')")
    await record(owner)


HIDES = "CREATE POLICY owners ON llama_logs USING (job_id <> 'child-1') WITH CHECK (true)"


async def test_a_row_that_a_policy_hides_is_a_dead_letter(owner: asyncpg.Pool) -> None:
    await owner.execute(HIDES)
    await record(owner)


async def test_a_row_that_a_policy_hides_is_a_dead_letter_when_it_comes_again(owner: asyncpg.Pool) -> None:
    await owner.execute("CREATE POLICY all_rows ON llama_logs USING (true)")
    first = KeptMessages()
    await Writer(owner, first).write(*chains(9))
    assert not first.dead_letters
    await owner.execute("DROP POLICY all_rows ON llama_logs")
    await owner.execute(HIDES)
    again = KeptMessages()
    await Writer(owner, again).write(*chains(9))
    (letter,) = again.dead_letters
    assert ("llamalog-reason", b"refused-by-database") in letter.headers
