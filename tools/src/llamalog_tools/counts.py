"""Counts of an installation, and its most eventful album: what `llamalog-dev` shows after a run."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass
from typing import Final
from uuid import UUID

from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import expand
from llamalog_service.queries.counts import UNPROCESSED

_ROWS: Final = """
    SELECT origin, count(*) AS rows, count(*) FILTER (WHERE revision > 1) AS corrected,
           count(*) FILTER (WHERE parent_conflict) AS parent_conflicts,
           count(*) FILTER (WHERE declared_root_job_id <> root_job_id) AS declaration_conflicts
    FROM llama_logs
    GROUP BY origin
"""

_WORK: Final = """
    SELECT (SELECT coalesce(sum(next_offset), 0)::bigint
            FROM consumer_positions
            WHERE consumer_group = $1 AND topic = $2) AS messages_read,
           (SELECT count(*) FROM root_overrides) AS overrides,
           (SELECT count(*) FROM backfill_runs WHERE status = 'completed') AS runs,
           (SELECT count(*) FROM backfill_runs WHERE status IN ('queued', 'running')) AS open_runs,
           (SELECT count(*) FROM provenance_outbox) AS unpublished
"""
"""What a group $1 has recorded of a topic $2, and what was done and is left."""

_ALBUM_TO_SHOW: Final = expand("""
    SELECT a.album_id
    FROM unnest($1::uuid[]) AS a (album_id)
    CROSS JOIN LATERAL (
        SELECT l.revision, l.category
        FROM llama_logs l
        WHERE {l is about a.album_id} AND l.album_id = a.album_id
        UNION ALL
        SELECT l.revision, l.category
        FROM llama_logs l
        WHERE l.album_id = a.album_id AND l.album_id IS DISTINCT FROM l.entity_id
    ) l
    GROUP BY a.album_id
    ORDER BY bool_or(l.revision > 1) DESC, count(DISTINCT l.category) DESC, count(*), a.album_id
    LIMIT 1
""")
"""Of some albums $1 the one whose timeline shows most: corrected rows, many kinds of entities, few rows."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work done, and the work left.

    Attributes:
        messages_read: recorded by the provenance consumer, with every outcome.
        overrides: messages that were operators' overrides; they write no row.
        runs: commands completed.
        open_runs: commands kept that are not completed.
        unpublished: corrections that are not published yet.
    """

    messages_read: int
    overrides: int
    runs: int
    open_runs: int
    unpublished: int

    def since(self, before: "Work") -> "Work":
        """The additions since an earlier moment."""
        return Work(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the log.

    Attributes:
        corrected: those that changed after they were written.
        parent_conflicts: those that claim another parent than the one that counts.
        declaration_conflicts: those that declare another root than the one that was found.
    """

    by_origin: Mapping[str, int]
    corrected: int
    parent_conflicts: int
    declaration_conflicts: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_origin.values())

    def since(self, before: "Rows") -> "Rows":
        """The additions since an earlier moment; an origin that rows have left becomes negative."""
        return Rows(
            _difference(self.by_origin, before.by_origin),
            self.corrected - before.corrected,
            self.parent_conflicts - before.parent_conflicts,
            self.declaration_conflicts - before.declaration_conflicts,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of an installation at one moment, or between two.

    Attributes:
        dead_letters: messages that became dead letters, by reason; one rejected twice counts once.
        provenance_records: published.
    """

    work: Work
    rows: Rows
    dead_letters: Mapping[str, int]
    provenance_records: int

    @property
    def duplicates(self) -> int:
        """Messages read that neither wrote anything nor were refused: known already, or tombstones."""
        return (
            self.work.messages_read - self.work.overrides - self.rows.total - sum(self.dead_letters.values())
        )

    def since(self, before: "Summary") -> "Summary":
        """The additions since an earlier moment."""
        return Summary(
            self.work.since(before.work),
            self.rows.since(before.rows),
            _difference(self.dead_letters, before.dead_letters),
            self.provenance_records - before.provenance_records,
        )


async def read_work(reader: Reader, *, group: str, topic: str) -> Work:
    """Count finished and open work; cheap at any size of the log.

    Args:
        group: of the provenance consumer.
        topic: of the entity events.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    return Work(**(await reader.run(_WORK, group, topic))[0])


async def read_rows(reader: Reader) -> Rows:
    """Count the rows; reads all of the log.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    records = await reader.run(_ROWS)
    return Rows(
        {record["origin"] or UNPROCESSED: record["rows"] for record in records},
        sum(record["corrected"] for record in records),
        sum(record["parent_conflicts"] for record in records),
        sum(record["declaration_conflicts"] for record in records),
    )


async def choose_album(reader: Reader, albums: Collection[UUID]) -> UUID | None:
    """The album whose timeline shows most, corrected rows above all; None if the log knows none of them.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    chosen = await reader.run(_ALBUM_TO_SHOW, list(albums))
    return chosen[0]["album_id"] if chosen else None


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    changed = Counter(after)
    changed.subtract(before)
    return {name: count for name, count in changed.items() if count}
