"""A root job is listed once, by the first of its rows."""

from uuid import UUID

import asyncpg

from harness.writers import KeptMessages, Writer
from histories import event
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.root_jobs import RootFilter, read_root_jobs


async def test_a_root_job_of_several_rows_is_listed_once_by_the_first(pool: asyncpg.Pool) -> None:
    await Writer(pool, KeptMessages()).write(
        event(1, "root", at=20),
        event(2, "root", at=10),
        event(3, "root", at=30),
        event(4, "child", "root", at=5),
        event(5, "other", at=15),
    )
    page = await read_root_jobs(Reader(pool), RootFilter())
    assert [(root.job, root.row) for root in page.items] == [("other", UUID(int=5)), ("root", UUID(int=2))]


async def test_a_row_of_the_job_without_a_root_is_not_counted_out_of_those_under_it(
    pool: asyncpg.Pool,
) -> None:
    await Writer(pool, KeptMessages()).write(
        event(1, "root", at=10), event(2, "root", at=20), event(3, "child", "root", at=30)
    )
    await pool.execute("UPDATE llama_logs SET origin = NULL, root_job_id = NULL WHERE id = $1", UUID(int=2))
    page = await read_root_jobs(Reader(pool), RootFilter())
    assert [(root.job, root.children) for root in page.items] == [("root", 1)]
