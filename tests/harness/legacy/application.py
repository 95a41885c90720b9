"""The application to which the table belonged, while it goes on writing rows itself."""

from random import Random

import asyncpg

from harness.legacy.database import insert_rows, read_table
from harness.legacy.rows import Row, new_id, written_row


class Application:
    """The one to which the table belonged: it goes on writing as before, and knows nothing of origins.

    What it is about to write is put into a table beside, so that it can be read as PostgreSQL has it.
    """

    def __init__(self, url: str, dice: Random, jobs: list[str], number: int = 600) -> None:
        self._url = url
        self._rows = [self._made(dice, jobs, n) for n in range(number)]
        self._written = 0

    def _made(self, dice: Random, jobs: list[str], n: int) -> Row:
        job, parent = dice.choice(
            [
                (f"app-{n}", None),
                (f"app-{n}", dice.choice(jobs)),
                (f"app-{n}", f"app-{dice.randrange(n + 3)}"),
                (dice.choice(jobs), f"app-{n}"),
                (f"app-{n}", f"never-{n % 7}"),
                (f"bullmq:lost-{n % 9}", None),
                (None, dice.choice(jobs)),
                (None, None),
            ]
        )
        row = written_row(dice, None, "enrichment:live", job, parent)
        flag = "true" if dice.random() < 0.2 else "false"
        root = dice.choice([None, None, job, "elsewhere"])
        return row | {"id": new_id(dice), "category": "ENRICHED", "is_root_job": flag, "root_job_id": root}

    async def prepare(self, connection: asyncpg.Connection) -> None:
        await connection.execute("CREATE TABLE written_beside (LIKE llama_logs)")
        await insert_rows(self._url, "written_beside", self._rows)

    async def write(self) -> None:
        """Some rows more, if there are any left."""
        rows = self._rows[self._written : self._written + 2]
        if rows:
            await insert_rows(self._url, "llama_logs", rows)
        self._written += len(rows)

    async def rows(self) -> dict[str, Row]:
        """What it has written so far."""
        beside = (await read_table(self._url, "written_beside")).rows
        return {str(row["id"]): beside[str(row["id"])] for row in self._rows[: self._written]}
