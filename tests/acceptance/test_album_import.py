"""The example's services publish through crashes: the log agrees with what is in their database."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from harness.databases import new_database
from harness.service import running
from harness.settled import wait_until_settled
from harness.topics import read_all
from harness.waiting import eventually
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ALBUMS = 24


@pytest.fixture
async def catalogue_database(postgres_url: str) -> AsyncIterator[str]:
    async with new_database(postgres_url) as url:
        yield url


@contextmanager
def service(name: str, settings: Settings, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of the two as a process of its own, killed in the end as it stands."""
    words = [sys.executable, "-m", "album_import", name, "--kafka", settings.kafka]
    process = subprocess.Popen(
        [*words, "--prefix", settings.topic_prefix, *options],
        env=os.environ | {"PYTHONPATH": str(EXAMPLES)},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
        assert process.poll() is None, "the service ended by itself"
    finally:
        process.kill()
        process.wait()


async def albums_in(database: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database)
    try:
        return list(await connection.fetch("SELECT * FROM albums"))
    except asyncpg.UndefinedTableError:
        return []
    finally:
        await connection.close()


async def waiting_in(database: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM llamalog_outbox"))
    finally:
        await connection.close()


async def test_the_log_agrees_with_the_catalogue_through_crashes_of_both_services(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path, catalogue_database: str
) -> None:
    catalogue = (
        "--database",
        catalogue_database.replace("postgresql://", "postgresql+asyncpg://"),
        "--albums",
        str(ALBUMS),
    )

    def enough(number: int) -> Any:
        async def are_added() -> bool:
            return len(await albums_in(catalogue_database)) >= number

        return are_added

    async def all_is_published() -> bool:
        requested = [album["enrichment_requested"] for album in await albums_in(catalogue_database)]
        return len(requested) == ALBUMS and all(requested) and await waiting_in(catalogue_database) == 0

    async def all_is_enriched() -> bool:
        enriched = "SELECT count(DISTINCT entity_id) FROM llama_logs WHERE operation = 'enrichment:album'"
        return bool(await pool.fetchval(enriched) == ALBUMS)

    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        with service("enricher", settings):
            for crash in range(1, 3):
                with service("catalogue", settings, *catalogue):
                    await eventually(enough(crash * ALBUMS // 4))
        with service("enricher", settings), service("catalogue", settings, *catalogue):
            await eventually(all_is_published)
            await eventually(all_is_enriched)
        await wait_until_settled(settings, pool)

    albums = {album["id"]: album for album in await albums_in(catalogue_database)}
    rows = await pool.fetch("SELECT * FROM llama_logs")
    created = [row for row in rows if row["operation"] == "album:created"]
    assert len(created) == len(albums) == ALBUMS
    assert {row["entity_id"] for row in created} == albums.keys()
    assert {row["root_job_id"] for row in rows} == {f"album-create-{album}" for album in albums}
    for row in rows:
        assert row["root_job_id"] == f"album-create-{row['album_id']}"

    by_whom = [row for row in rows if row["entity_type"] == "ARTIST"]
    assert {row["entity_id"] for row in by_whom} == {album["artist_id"] for album in albums.values()}
    assert sorted(row["category"] for row in by_whom) == ["CREATED"] * 7 + ["LINKED"] * (ALBUMS - 7)

    unknown = {album for album in albums if album.int % 4 == 0}
    failed = [row for row in rows if row["category"] == "FAILED"]
    assert {row["entity_id"] for row in failed} == unknown
    assert {row["error_code"] for row in failed} <= {"NO_RELEASE"}
    tracks = [row for row in rows if row["entity_type"] == "TRACK"]
    assert len(tracks) == 3 * (ALBUMS - len(unknown))
    enriched = albums.keys() - unknown
    assert {row["parent_job_id"] for row in tracks} == {f"enrich-{album}" for album in enriched}
    assert len(rows) == 2 * ALBUMS + ALBUMS + len(tracks)
    assert await read_all(settings.kafka, topics(settings.topic_prefix).dead_letters.name) == []


def test_the_services_print_how_they_are_started() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "album_import", "catalogue", "--kafka", "x"],
        env=os.environ | {"PYTHONPATH": str(EXAMPLES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "needs a --database" in done.stderr
