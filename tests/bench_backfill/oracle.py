"""What every row must be, from the rows as dumped: a walk in plain Python, nothing of the service in it."""

from typing import Any

import asyncpg

_ROWS = "SELECT id, job_id, parent_job_id, created_at, root_job_id, origin::text FROM llama_logs"


async def wrong_rows(url: str) -> tuple[int, list[str]]:
    """How many rows there are, and a line for each that is not as it must be, at most twenty."""
    connection = await asyncpg.connect(url, command_timeout=3600)
    try:
        rows = await connection.fetch(_ROWS)
    finally:
        await connection.close()
    expected = _Walks(rows)
    wrong: list[str] = []
    for row in rows:
        root, origin = expected.of(row)
        if (row["root_job_id"], row["origin"]) != (root, origin) and len(wrong) < 20:
            wrong.append(f"{row['id']}: {row['origin']} {row['root_job_id']}, not {origin} {root}")
    return len(rows), wrong


class _Walks:
    def __init__(self, rows: list[Any]) -> None:
        self.seen = {row["job_id"] for row in rows}
        self.parents: dict[str, str] = {}
        claims = [row for row in rows if row["job_id"] is not None and row["parent_job_id"] is not None]
        for row in sorted(claims, key=lambda row: (row["created_at"], row["id"]), reverse=True):
            self.parents[row["job_id"]] = row["parent_job_id"]
        self._tops: dict[str, str] = {}

    def of(self, row: Any) -> tuple[str | None, str]:
        start = row["job_id"] or row["parent_job_id"]
        if start is None:
            return None, "UNTRACKED"
        top = self._top(start)
        if top is None:
            return None, "CYCLE"
        if top not in self.seen:
            return None, "PENDING"
        return top, "ROOT" if top == row["job_id"] else "RESOLVED"

    def _top(self, start: str) -> str | None:
        passed: dict[str, None] = {}
        job = start
        while job in self.parents and job not in self._tops:
            if job in passed:
                return None
            passed[job] = None
            job = self.parents[job]
        top = self._tops.get(job, job)
        self._tops |= dict.fromkeys(passed, top)
        return top
