"""What the owner of an adopted table may have put on it: triggers, policies, rules, constraints."""

import asyncpg

_TRIGGER = """
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {body}
    END $$;
    CREATE {constraint} TRIGGER {name} {moment} ON llama_logs {deferred}
        FOR EACH ROW EXECUTE FUNCTION {name}()
"""

RAISING_POLICY = """
    CREATE FUNCTION owners_check(job text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
    BEGIN
        IF job = 'child-1' THEN RAISE EXCEPTION 'not this one'; END IF;
        RETURN true;
    END $$;
    ALTER TABLE llama_logs ENABLE ROW LEVEL SECURITY;
    ALTER TABLE llama_logs FORCE ROW LEVEL SECURITY;
    CREATE POLICY owners ON llama_logs USING (owners_check(job_id)) WITH CHECK (true)
"""
"""A policy under which reading the row of the job `child-1` fails; it holds for plain owners."""


async def add_trigger(pool: asyncpg.Pool, moment: str, body: str, *, deferred: bool = False) -> None:
    """Run `body`, in PL/pgSQL, for each row at a moment such as BEFORE UPDATE; or at the commit."""
    await pool.execute(
        _TRIGGER.format(
            name="owners_trigger",
            moment=moment,
            body=body,
            constraint="CONSTRAINT" if deferred else "",
            deferred="DEFERRABLE INITIALLY DEFERRED" if deferred else "",
        )
    )


async def drop_trigger(pool: asyncpg.Pool) -> None:
    """Drop the trigger of `add_trigger`."""
    await pool.execute("DROP FUNCTION owners_trigger CASCADE")


async def become_plain_owner(pool: asyncpg.Pool, role: str) -> None:
    """Give the tables of a database to a role to which policies apply, unlike to a superuser."""
    await pool.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
    tables = await pool.fetch(
        "SELECT format('%I', relname) AS name FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = 'public'::regnamespace"
    )
    for table in tables:
        await pool.execute(f"ALTER TABLE {table['name']} OWNER TO {role}")
