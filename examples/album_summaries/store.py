"""The view, its revisions and its positions, in one SQLite file.

Each update changes three tables in one transaction: the latest revision of the row, the summary of its album
computed anew from such rows, and the position after the update. So a crash leaves all of it or nothing, a
duplicate finds its revision there already, a correction replaces the row that it corrects, and a row that was
removed from the log leaves the view.
"""

import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from llamalog_schemas.consumer import Change, Removed

_TABLES = """
    CREATE TABLE IF NOT EXISTS rows (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        album_id TEXT,
        entity_type TEXT,
        category TEXT NOT NULL,
        created_at TEXT NOT NULL,
        root_job_id TEXT
    );
    CREATE INDEX IF NOT EXISTS rows_of_album ON rows (album_id);
    CREATE TABLE IF NOT EXISTS summaries (
        album_id TEXT PRIMARY KEY,
        root_job_id TEXT,
        tracks INTEGER NOT NULL,
        links INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        events INTEGER NOT NULL,
        without_root INTEGER NOT NULL,
        last_at TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL);
"""

_KEEP_ROW = """
    INSERT INTO rows (id, revision, album_id, entity_type, category, created_at, root_job_id)
    VALUES (:id, :revision, :album_id, :entity_type, :category, :created_at, :root_job_id)
    ON CONFLICT (id) DO UPDATE SET
        revision = excluded.revision,
        album_id = excluded.album_id,
        entity_type = excluded.entity_type,
        category = excluded.category,
        created_at = excluded.created_at,
        root_job_id = excluded.root_job_id
    WHERE excluded.revision > rows.revision
"""

# The root of an album is that of its creation: of the first, should there be two.
_SUMMARISE = """
    INSERT OR REPLACE INTO summaries
    SELECT
        album_id,
        (
            SELECT root_job_id FROM rows AS creation
            WHERE creation.album_id = rows.album_id AND entity_type = 'ALBUM' AND category = 'CREATED'
            ORDER BY created_at, id LIMIT 1
        ),
        count(*) FILTER (WHERE entity_type = 'TRACK' AND category = 'CREATED'),
        count(*) FILTER (WHERE category = 'LINKED'),
        count(*) FILTER (WHERE category = 'FAILED'),
        count(*),
        count(*) FILTER (WHERE root_job_id IS NULL),
        max(created_at)
    FROM rows WHERE album_id = ? GROUP BY album_id
"""

_ALBUM_OF_ROW = "SELECT album_id FROM rows WHERE id = ?"

_REMOVE_ROW = "DELETE FROM rows WHERE id = ?"

_REMOVE_SUMMARY = "DELETE FROM summaries WHERE album_id = ?"

_KEEP_POSITION = """
    INSERT INTO positions (partition, next) VALUES (?, ?)
    ON CONFLICT (partition) DO UPDATE SET next = excluded.next
"""


class Summary(NamedTuple):
    """The history of an album in numbers; `without_root` counts events whose root is not known."""

    album_id: str
    root_job_id: str | None
    tracks: int
    links: int
    failures: int
    events: int
    without_root: int
    last_at: str


class SummaryStore:
    """The summaries, and the `RevisionStore` and positions of the consumer that keeps them."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(_TABLES)

    def apply(self, change: Change) -> None:
        """Apply an update or a removal to the view, in one transaction."""
        if isinstance(change, Removed):
            self._remove(change)
            return
        row = change.row
        album_id = None if row.album_id is None else str(row.album_id)
        values = {
            "id": str(row.id),
            "revision": row.revision,
            "album_id": album_id,
            "entity_type": row.entity_type,
            "category": row.category,
            "created_at": row.created_at.isoformat(timespec="milliseconds"),
            "root_job_id": row.root_job_id,
        }
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(_KEEP_ROW, values)
            self._database.execute(_SUMMARISE, (album_id,))
            self._database.execute(_KEEP_POSITION, change.next)

    def _remove(self, removed: Removed) -> None:
        row = str(removed.row_id)
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            album = self._database.execute(_ALBUM_OF_ROW, (row,)).fetchone()
            self._database.execute(_REMOVE_ROW, (row,))
            if album is not None:
                self._database.execute(_REMOVE_SUMMARY, album)
                self._database.execute(_SUMMARISE, album)
            self._database.execute(_KEEP_POSITION, removed.next)

    async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
        """The revisions that the view holds."""
        found = {}
        for row in rows:
            known = self._database.execute("SELECT revision FROM rows WHERE id = ?", (str(row),)).fetchone()
            if known is not None:
                found[row] = known[0]
        return found

    async def positions(self, partitions: Collection[int]) -> Mapping[int, int]:
        """The next offsets by partition."""
        stored = dict(self._database.execute("SELECT partition, next FROM positions").fetchall())
        return {partition: stored[partition] for partition in partitions if partition in stored}

    def summaries(self) -> dict[str, Summary]:
        """The summaries by album."""
        found = self._database.execute("SELECT * FROM summaries").fetchall()
        return {summary.album_id: summary for summary in map(Summary._make, found)}

    def close(self) -> None:
        """Close the file."""
        self._database.close()
