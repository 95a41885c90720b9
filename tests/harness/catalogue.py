"""What a PostgreSQL database holds, as in its catalogue: what Alembic's comparison misses too."""

from typing import Any

import asyncpg

QUERIES = {
    "columns": """
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull,
               pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
          AND relname <> 'llamalog_revision'
        ORDER BY relname, attname
    """,
    "indexes": """
        SELECT tablename, indexname, indexdef, indisvalid
        FROM pg_indexes
        JOIN pg_index ON indexrelid = format('public.%I', indexname)::regclass
        WHERE schemaname = 'public' AND tablename <> 'llamalog_revision'
        ORDER BY indexname
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'llamalog_revision'
          AND contype <> 'n'
        ORDER BY 1, 2
    """,
    "enums": """
        SELECT typname, array_agg(enumlabel::text ORDER BY enumsortorder)
        FROM pg_enum
        JOIN pg_type ON pg_type.oid = enumtypid
        GROUP BY typname
        ORDER BY typname
    """,
}


async def catalogue(database_url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Columns, indexes, constraints and enums of the schema ``public``, ready to be compared."""
    connection = await asyncpg.connect(database_url)
    try:
        return {
            what: [tuple(row) for row in await connection.fetch(query)] for what, query in QUERIES.items()
        }
    finally:
        await connection.close()
