"""Rows of the old table, as the application wrote them: one at a time, realistic, made from a seed."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

Row = dict[str, str | None]
"""A row by column, each value in the words of PostgreSQL; a column left out keeps its default."""

_SINCE = datetime(2025, 3, 1, 6)
_MINUTES = 400_000

WORK_OF_JOBS = {
    "enrichment:album": 30,
    "enrichment:artist": 22,
    "enrichment:track": 12,
    "check:album": 6,
    "check:artist": 5,
    "cache:album-cover": 9,
    "cache:artist-image": 7,
    "spotify:import": 4,
    "musicbrainz:search": 5,
    "discogs:lookup": 3,
    "album:created:manual": 4,
    "track:created:enrichment": 8,
    "artist:created": 3,
    "PREVIEW_ENRICHMENT": 2,
    "precache:warm": 1,
}
WORK_WITHOUT_JOBS = {
    "admin_correction": 8,
    "admin_corrections": 1,
    "ALBUM_CREATED": 20,
    "ARTIST_CREATED": 14,
    "enrichment:album": 18,
    "cache:album-cover": 15,
    "spotify:sync-new-releases": 12,
    "musicbrainz:match": 6,
    "PREVIEW_ENRICHMENT": 3,
    "preview_enrichment": 1,
}
_STATUSES = {
    "SUCCESS": 60,
    "PARTIAL_SUCCESS": 8,
    "FAILED": 12,
    "NO_DATA_AVAILABLE": 9,
    "SKIPPED": 5,
    "PREVIEW": 2,
    "PENDING": 1,
    "QUEUED": 1,
    "IN_PROGRESS": 1,
    "COMPLETED": 1,
}
_SOURCES = [
    "{MUSICBRAINZ}",
    "{SPOTIFY}",
    "{DISCOGS,MUSICBRAINZ}",
    "{}",
    None,
    '{"Last.fm","a \\"b\\", c",NULL}',
]
_FIELDS = ["{}", "{title,releaseDate}", "{biography}", None, "{trackNumber,durationMs,isrc}"]
_QUALITIES = [None, None, "LOW", "MEDIUM", "HIGH"]
_ERRORS = [
    "429 Too Many Requests",
    "connect ETIMEDOUT",
    "not found: „Sigur Rós – ( )“ 🦙",
    "line one\nline two\twith a tab \\ and a \\N",
    "quote ' and \" and $1 and %s and {braces}",
    "",
    "\\N",
]
_METADATA = [
    None,
    None,
    "{}",
    '{"n": 1.0, "n2": 1e30, "long": 123456789012345678901234567890, "small": 1.50}',
    '{"ü": "\\u00fc\\"", "nested": {"list": [1, [2, {"three": null}]]}, "flag": true}',
    '{"request": {"headers": {}}, "tookMs": 12.25}',
]


def chosen(dice: Random, weights: dict[str, int]) -> str:
    """One of the keys, as often as its weight demands."""
    return dice.choices(list(weights), list(weights.values()))[0]


def new_id(dice: Random) -> str:
    """The id of a row or an entity."""
    return str(UUID(int=dice.getrandbits(128), version=4))


class Entities:
    """The albums, artists, tracks and users that rows speak of, in the tables beside."""

    def __init__(self, dice: Random, each: int = 120) -> None:
        self.ids = {kind: [new_id(dice) for _ in range(each)] for kind in ("album", "artist", "track")} | {
            "user": [f"user_{n}" for n in range(12)]
        }

    def script(self) -> str:
        """The SQL that puts them there."""
        values = {
            f"{kind}s": ", ".join(f"('{entity}', '{kind} {n}')" for n, entity in enumerate(ids))
            for kind, ids in self.ids.items()
        }
        return "".join(f'INSERT INTO "{table}" VALUES {rows};\n' for table, rows in values.items())


def written_row(
    dice: Random,
    entities: Entities | None,
    operation: str,
    job: str | None = None,
    parent: str | None = None,
    *,
    at: datetime | None = None,
) -> Row:
    """A row as the application wrote it before it knew of roots; without entities it speaks of none."""
    kind = dice.choice(["ALBUM", "ALBUM", "ARTIST", "TRACK"])
    status = chosen(dice, _STATUSES)
    failed = status == "FAILED"
    row: Row = {
        "id": new_id(dice),
        "entity_type": kind,
        "entity_id": None,
        "operation": operation,
        "sources": dice.choice(_SOURCES),
        "status": status,
        "reason": dice.choice([None, None, "not stale yet", "added by a user"]),
        "fields_enriched": dice.choice(_FIELDS),
        "data_quality_before": dice.choice(_QUALITIES),
        "data_quality_after": dice.choice(_QUALITIES),
        "error_message": dice.choice(_ERRORS) if failed else None,
        "error_code": dice.choice(["RATE_LIMITED", "TIMEOUT", "x" * 50, None]) if failed else None,
        "retry_count": str(dice.choice([0, 0, 0, 1, 3])),
        "metadata": dice.choice(_METADATA),
        "preview_data": json.dumps({"title": "preview"}) if status == "PREVIEW" else None,
        "duration_ms": str(dice.randrange(1, 90_000)) if dice.random() < 0.8 else None,
        "api_call_count": str(dice.randrange(6)),
        "job_id": job,
        "triggered_by": dice.choice(["user", "scheduler", "admin", None]),
        "user_id": None,
        "created_at": str(
            at or _SINCE + timedelta(minutes=dice.randrange(_MINUTES), milliseconds=dice.randrange(60_000))
        ),
        "artist_id": None,
        "album_id": None,
        "track_id": None,
        "parent_job_id": parent,
    }
    if entities is not None and dice.random() < 0.9:
        entity = dice.choice(entities.ids[kind.lower()])
        row["entity_id"] = entity
        row[f"{kind.lower()}_id"] = entity
        row["user_id"] = dice.choice([None, *entities.ids["user"]])
    return row


def restricted(rows: Sequence[Row], columns: Sequence[str]) -> list[Row]:
    """The rows with those of their columns only."""
    return [{column: value for column, value in row.items() if column in columns} for row in rows]
