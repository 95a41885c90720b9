"""A log of a catalogue: albums of nine rows each, one root with very many, and some of everything odd.

Written by PostgreSQL itself, roots and origins as the rule gives them, in the order of time.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

BIG_ROOT = "import-of-a-label"
ROWS_AN_ALBUM = 9

_SQL = Path(__file__).parent / "big_log"


@dataclass(frozen=True, slots=True)
class BigLog:
    """What there is in it, for questions to name.

    Attributes:
        albums: their numbers are from 1 to this.
        odd: rows of unknown origin, or adopted.
    """

    albums: int
    big_root_rows: int
    odd: int

    @property
    def rows(self) -> int:
        return self.albums * ROWS_AN_ALBUM + self.big_root_rows + self.odd


_PRODUCERS = """
    INSERT INTO event_producers (id, source) OVERRIDING SYSTEM VALUE
    VALUES (1, '/few'), (2, '/many'), (3, '/links'), (4, '/import')
"""


async def fill(connection: asyncpg.Connection, log: BigLog) -> None:
    """Write the rows; statistics and visibility are the caller's business."""
    await connection.execute(_PRODUCERS)
    for first in range(1, log.albums + 1, 10_000):
        await connection.execute(_sql("albums"), first, min(first + 9_999, log.albums), timeout=3600)
    await connection.execute(_sql("big_tree"), BIG_ROOT, log.big_root_rows, timeout=3600)
    await connection.execute(_sql("odd"), log.odd, timeout=3600)


async def fill_fast(connection: asyncpg.Connection, log: BigLog) -> None:
    """The same, vacuumed and analysed; its indexes are built in the end, and smaller than grown ones."""
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes "
        "WHERE tablename = 'llama_logs' AND indexname NOT LIKE '%_pkey'"
    )
    for name, _ in indexes:
        await connection.execute(f"DROP INDEX {name}")
    await fill(connection, log)
    await connection.execute("SET maintenance_work_mem = '256MB'")
    for _, definition in indexes:
        await connection.execute(definition, timeout=3600)
    await connection.execute("VACUUM (ANALYZE) llama_logs", timeout=3600)


def album_of(number: int) -> UUID:
    """The id of an album."""
    return _md5(f"album{number}")


def artist_of(number: int) -> UUID:
    """The id of an album's artist: every fiftieth album is by the same one, the others have few each."""
    return _md5(f"artist{0 if number % 50 == 0 else number % 20_000}")


def job_of(number: int, kind: str = "album-create-") -> str:
    """A job of an album, the root unless given otherwise."""
    return f"{kind}{album_of(number)}"


def _md5(text: str) -> UUID:
    return UUID(bytes=hashlib.md5(text.encode(), usedforsecurity=False).digest())


def _sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text()
