"""What the log must answer, in plain Python over all of its rows; shares no statement with the service."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

_ROWS = """
    SELECT id, extract(epoch FROM created_at)::double precision AS at, entity_type::text AS type, entity_id,
           artist_id, album_id, track_id, operation, category::text, sources, status::text, reason,
           error_message, error_code, retry_count, metadata, job_id, parent_job_id, root_job_id, is_root_job,
           user_id, origin::text, cycle_members, source AS producer, traceparent
    FROM llama_logs LEFT JOIN (SELECT id AS producer_id, source FROM event_producers) p USING (producer_id)
"""


@dataclass(frozen=True)
class Row:
    """A row; `at` is its time as a number, which also holds what no date of Python's can."""

    id: UUID
    at: float
    type: str | None
    entity_id: UUID | None
    artist_id: UUID | None
    album_id: UUID | None
    track_id: UUID | None
    operation: str
    category: str
    sources: list[str]
    status: str
    reason: str | None
    error_message: str | None
    error_code: str | None
    retry_count: int | None
    metadata: Any
    job_id: str | None
    parent_job_id: str | None
    root_job_id: str | None
    is_root_job: bool
    user_id: str | None
    origin: str | None
    cycle_members: list[str] | None
    producer: str | None
    traceparent: str | None

    @property
    def place(self) -> tuple[float, UUID]:
        return self.at, self.id

    @property
    def name(self) -> str | None:
        metadata = self.metadata if isinstance(self.metadata, dict) else {}
        return next(
            (
                metadata[key]
                for key in ("title", "name")
                if isinstance(metadata.get(key), str) and metadata[key]
            ),
            None,
        )

    @property
    def failed(self) -> bool:
        return "FAILED" in (self.category, self.status)

    def names(self, entity_type: str, entity: UUID) -> bool:
        """Whether it names an entity, in any way."""
        column = {"ALBUM": self.album_id, "ARTIST": self.artist_id, "TRACK": self.track_id}[entity_type]
        return column == entity or self.is_about(entity_type, entity)

    def is_about(self, entity_type: str, entity: UUID) -> bool:
        return self.type == entity_type and self.entity_id == entity


class LogOracle:
    """All rows of a table, and the questions."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = sorted(rows, key=lambda row: row.place)
        self.seen = {row.job_id for row in self.rows if row.job_id is not None}
        named = {row.parent_job_id for row in self.rows if row.parent_job_id is not None}
        self.jobs = self.seen | named
        self.claims: dict[str, Row] = {}
        for row in self.rows:
            if row.job_id is not None and row.parent_job_id is not None:
                self.claims.setdefault(row.job_id, row)

    def parent(self, job: str) -> str | None:
        return self.claims[job].parent_job_id if job in self.claims else None

    def upwards(self, job: str) -> list[str]:
        """The job, its parent, and so on: to the top, or until a job would come again."""
        walk = [job]
        while (above := self.parent(walk[-1])) is not None and above not in walk:
            walk.append(above)
        return walk

    def depth(self, row: Row) -> int:
        if row.job_id is None:
            return 0 if row.parent_job_id is None else self._job_depth(row.parent_job_id) + 1
        return self._job_depth(row.job_id)

    def _job_depth(self, job: str) -> int:
        walk = self.upwards(job)
        again = self.parent(walk[-1])
        return len(walk) - 1 if again is None else walk.index(again)

    def timeline(self, entity_type: str, entity: UUID, *, orphans: bool) -> list[Row]:
        named = [row for row in self.rows if row.names(entity_type, entity)]
        roots = {row.root_job_id for row in named} - {None}
        lost = {row.id for row in named if row.root_job_id is None} if orphans else set()
        return self._read([row for row in self.rows if row.root_job_id in roots or row.id in lost])

    def tree(self, job: str) -> list[Row]:
        """What has the job as its root, and what hangs on it by the claims that count."""

        def hangs(row: Row) -> bool:
            start = row.job_id if row.job_id is not None else row.parent_job_id
            return start is not None and job in self.upwards(start)

        return self._read([row for row in self.rows if row.root_job_id == job or hangs(row)])

    def _read(self, rows: list[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: (row.at, self.depth(row), row.id))

    def children(self, job: str) -> list[tuple[str | None, Row]]:
        """Jobs directly below with the claims that put them there; None stands for a row without a job."""
        claims = [
            row
            for row in self.rows
            if row.parent_job_id == job and (row.job_id is None or self.claims[row.job_id] is row)
        ]
        return [(row.job_id, row) for row in claims]

    def rows_of_job(self, job: str) -> list[Row]:
        return [row for row in self.rows if row.job_id == job]

    def about(self, entity_type: str, entity: UUID) -> list[Row]:
        return [row for row in self.rows if row.is_about(entity_type, entity)]

    def root_jobs(self) -> list[Row]:
        """The first row of each job that is a root, then those below each adopted one; newest first."""
        firsts: dict[tuple[str, str], Row] = {}
        for row in self.rows:
            if row.root_job_id is not None and row.origin in ("ROOT", "ADOPTED"):
                firsts.setdefault((row.origin, row.root_job_id), row)
        return sorted(firsts.values(), key=lambda row: row.place, reverse=True)

    def waiting(self) -> dict[str, set[UUID]]:
        """Jobs never seen, and the rows whose walk ends there without a root."""
        found: dict[str, set[UUID]] = {}
        for row in self.rows:
            if row.origin == "PENDING":
                start = row.job_id if row.job_id is not None else row.parent_job_id
                assert start is not None
                found.setdefault(self.upwards(start)[-1], set()).add(row.id)
        return found

    def where(self, holds: Callable[[Row], bool]) -> list[Row]:
        """Rows in the order of time."""
        return [row for row in self.rows if holds(row)]


async def read_oracle(pool: asyncpg.Pool) -> LogOracle:
    """Every row as it stands at this moment."""
    fields = Row.__dataclass_fields__
    return LogOracle(Row(**{name: record[name] for name in fields}) for record in await pool.fetch(_ROWS))
