"""A table whose owner refuses some rows: they become dead letters, and their neighbours are recorded."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from harness.legacy_events import legacy_row
from harness.log_table import differences, stored_rows
from harness.owners import add_trigger, become_plain_owner
from harness.writers import KeptMessages, Message, Writer
from histories import chains, event
from llamalog_schemas.codec import encode
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
    recorded = [one for one in events if UUID(one.id) != REFUSED]
    assert differences(await stored_rows(pool), recorded) == []
    assert set(kept.provenance) == {UUID(one.id) for one in recorded}
    (dead_letter,) = kept.dead_letters
    assert ("llamalog-reason", b"refused-by-database") in dead_letter.headers
    return kept


@pytest.mark.parametrize(
    "code", ["P0001", "QQ001", "42P01", "57014", "55P03", "40001", "53100", "08006", "23505"]
)
async def test_a_row_for_which_a_trigger_raises_is_a_dead_letter(pool: asyncpg.Pool, code: str) -> None:
    await add_trigger(pool, "BEFORE INSERT", RAISE.format(using=f"USING ERRCODE = '{code}'"))
    await record(pool)


async def test_a_row_for_which_a_trigger_raises_at_the_commit_is_a_dead_letter(pool: asyncpg.Pool) -> None:
    await add_trigger(pool, "AFTER INSERT", RAISE.format(using=""), deferred=True)
    await record(pool)


@pytest.mark.parametrize("missing", ["* FROM not_there", "pg_read_file('not_there')"])
async def test_a_row_whose_trigger_uses_what_is_not_there_is_a_dead_letter(
    pool: asyncpg.Pool, missing: str
) -> None:
    body = f"IF {IS_REFUSED} THEN PERFORM {missing}; END IF; RETURN NEW;"
    await add_trigger(pool, "BEFORE INSERT", body)
    await record(pool)


async def test_a_row_that_a_trigger_drops_is_a_dead_letter(pool: asyncpg.Pool) -> None:
    await add_trigger(pool, "BEFORE INSERT", f"IF {IS_REFUSED} THEN RETURN NULL; END IF; RETURN NEW;")
    kept = await record(pool)
    (dead_letter,) = kept.dead_letters
    assert b"drops" in dict(dead_letter.headers)["llamalog-error"]  # type: ignore[operator]


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
    (dead_letter,) = again.dead_letters
    assert ("llamalog-reason", b"refused-by-database") in dead_letter.headers


async def test_a_legacy_row_that_refuses_its_mark_is_set_aside_and_the_stream_goes_on(
    pool: asyncpg.Pool,
) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, created_at, origin, legacy_sourced) "
        "SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'op', 'CREATED', 'SUCCESS', "
        "'2024-01-01', 'UNTRACKED', false FROM generate_series(1, 3) n"
    )
    await add_trigger(pool, "BEFORE UPDATE", f"IF NEW.id = '{REFUSED}' THEN RAISE 'no'; END IF; RETURN NEW;")
    kept = KeptMessages()
    messages = [Message(legacy_row(number, "CREATED"), number) for number in (1, 2, 3)]
    messages.append(Message(encode(event(9, "job")), 4))
    writer = Writer(pool, kept)
    await writer._ingest.publish(await writer._ingest.record(await writer._ingest.prepare(messages)))
    marked = await pool.fetch("SELECT id FROM llama_logs WHERE legacy_sourced ORDER BY id")
    assert [row["id"].int for row in marked] == [1, 3]
    assert [row["row_id"] for row in await pool.fetch("SELECT row_id FROM refused_rows")] == [REFUSED]
    assert UUID(int=9) in await stored_rows(pool)
    assert not kept.dead_letters


ADDED = {
    "check": "ALTER TABLE llama_logs ADD CONSTRAINT owners CHECK (job_id <> 'not-this') NOT VALID",
    "policy": "ALTER TABLE llama_logs ENABLE ROW LEVEL SECURITY; "
    "ALTER TABLE llama_logs FORCE ROW LEVEL SECURITY; "
    "CREATE POLICY owners ON llama_logs USING (true) WITH CHECK (job_id <> 'not-this')",
    "hiding policy": "ALTER TABLE llama_logs ENABLE ROW LEVEL SECURITY; "
    "ALTER TABLE llama_logs FORCE ROW LEVEL SECURITY; "
    "CREATE POLICY owners ON llama_logs USING (job_id <> 'not-this') WITH CHECK (true)",
    "trigger": "CREATE FUNCTION owners_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF NEW.job_id = 'not-this' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$; "
    "CREATE TRIGGER owners_trigger BEFORE INSERT ON llama_logs "
    "FOR EACH ROW EXECUTE FUNCTION owners_trigger()",
}


@pytest.fixture
async def plain_owner(pool: asyncpg.Pool, database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections as the tables' owner, who has put nothing on them yet."""
    role = f"owner_{uuid4().hex}"
    await become_plain_owner(pool, role)
    async with create_pool(database_url, max_size=4, user=role, password=role) as owner:
        yield owner
    await pool.execute(f"REASSIGN OWNED BY {role} TO current_user; DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("kind", ADDED)
async def test_what_the_owner_adds_while_the_consumer_runs_makes_dead_letters_alone(
    plain_owner: asyncpg.Pool, pool: asyncpg.Pool, kind: str
) -> None:
    kept = KeptMessages()
    writer = Writer(plain_owner, kept)
    await writer.write(*chains(9))
    await pool.execute(ADDED[kind])
    await writer.write(event(50, "this"), event(51, "not-this"), event(52, "this-too", "root-1"))
    await writer.write(event(53, "later"))
    assert {UUID(int=50), UUID(int=52), UUID(int=53)} <= kept.provenance.keys()
    (dead_letter,) = kept.dead_letters
    assert ("llamalog-reason", b"refused-by-database") in dead_letter.headers
