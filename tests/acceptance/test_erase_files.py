"""`llamalog erase-files`: archives and files of differences lose a person, and stay whole."""

import gzip
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from harness.commands import llamalog_here
from harness.erasing import erasure_of_user, said_by
from harness.log_table import differences, stored_rows
from harness.topics import producing, publish
from histories import chains, override
from llamalog_schemas.events import Event
from llamalog_service.kafka.topics import topics_of
from llamalog_service.settings import Settings

MALFORMED = b'{"data": {"userId": "ada"}, broken'


EVENTS: list[Event] = [*chains(50), override(40, "never"), said_by("ada", 3000), said_by("bob", 3001)]
ERASURE = erasure_of_user("ada", "mail")


async def erased_files(settings: Settings, *paths: Path, code: int = 0) -> Any:
    words = [str(path) for path in paths]
    ended = await llamalog_here("erase-files", "--json", *words, environment=settings.as_environment())
    assert ended.code == code, ended.out + ended.err
    return ended.json


async def archive(settings: Settings, folder: Path, *words: str) -> None:
    ended = await llamalog_here("archive", str(folder), *words, environment=settings.as_environment())
    assert ended.code == 0, ended.err


def lines(folder: Path) -> list[dict[str, Any]]:
    """The messages of an archive, in order."""
    return [
        line
        for path in sorted(folder.glob("*.jsonl.gz"))
        for line in map(json.loads, gzip.open(path, "rt"))
        if "offset" in line
    ]


async def archived(settings: Settings, folder: Path) -> None:
    """An archive of events, some of an erased person."""
    await publish(settings, EVENTS)
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(topics_of(settings).entity_events.name, MALFORMED, b"k")
    await archive(settings, folder)
    await publish(settings, [ERASURE])


async def test_an_archive_is_rewritten_with_checksums_and_continues(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    await archived(settings, folder)
    before, files = lines(folder), {path: path.read_bytes() for path in folder.glob("*.jsonl.gz")}

    report = await erased_files(settings, folder)
    assert (report["read"], report["changed"], report["unreached"]) == (len(files), 2, [])
    after = lines(folder)
    assert [{**line, "value": None} for line in after] == [{**line, "value": None} for line in before]
    changed = [now["value"] for was, now in zip(before, after, strict=True) if was != now]
    assert len(changed) == 2
    assert not [value for value in changed if '"ada"' in value or "ada@" in value]
    same = [path for path, content in files.items() if path.read_bytes() == content]
    assert len(same) == len(files) - report["rewritten"]
    await archive(settings, folder, "--check")

    words = ("rebuild", "--from-file", str(folder), "--archive-only")
    loaded = await llamalog_here(*words, environment=settings.as_environment())
    assert loaded.code == 0, loaded.out + loaded.err
    assert differences(await stored_rows(pool), [*EVENTS, ERASURE]) == []

    again = await erased_files(settings, folder)
    assert (again["rewritten"], again["changed"]) == (0, 0)
    await publish(settings, [said_by("carl", 3002)])
    await archive(settings, folder)
    assert len(lines(folder)) == len(before) + 1


async def test_files_that_are_not_reached_are_named(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    await archived(settings, folder)
    damaged = max(folder.glob("*.jsonl.gz"), key=lambda path: path.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:-30])
    (folder / "copy-of-a-segment.gz").write_bytes(b"?")
    empty = tmp_path / "empty"
    empty.mkdir()
    report = await erased_files(settings, folder, empty, tmp_path / "none.jsonl", code=1)
    assert {file["path"] for file in report["unreached"]} == {
        str(damaged),
        str(folder / "copy-of-a-segment.gz"),
        str(empty),
        str(tmp_path / "none.jsonl"),
    }
    printed = await llamalog_here("erase-files", str(empty), environment=settings.as_environment())
    assert f"Not reached: {empty}" in printed.out


async def test_a_file_of_differences_loses_the_person(settings: Settings, tmp_path: Path) -> None:
    await publish(settings, [erasure_of_user("ada", "mail")])
    metadata = {"mail": "m@example.org", "kept": 1}
    rows: list[dict[str, Any]] = [
        {"kind": "extra", "live": {"user_id": "ada", "metadata": metadata}, "rebuilt": None},
        {"kind": "missing", "live": None, "rebuilt": {"user_id": "bob", "metadata": metadata}},
        {"kind": "different", "live": {"metadata": metadata}, "rebuilt": {"metadata": None}},
        {"kind": "different", "live": {"user_id": "bob"}, "rebuilt": {"user_id": "ada"}},
    ]
    path = tmp_path / "differences.jsonl"
    content = [{"id": str(UUID(int=number)), **row} for number, row in enumerate(rows)]
    path.write_text("".join(json.dumps(line) + "\n" for line in content))
    report = await erased_files(settings, path)
    assert (report["read"], report["rewritten"], report["changed"]) == (1, 1, 3)
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert kept[0]["live"] == {"user_id": None, "metadata": {"kept": 1}}
    assert kept[1] == content[1]
    assert kept[2]["live"] == {"metadata": {"kept": 1}}
    assert (kept[3]["live"], kept[3]["rebuilt"]) == ({"user_id": "bob"}, {"user_id": None})


async def test_an_archive_without_a_manifest_is_named(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    await archived(settings, folder)
    (folder / "archive.json").unlink()
    report = await erased_files(settings, folder, code=1)
    assert [file["path"] for file in report["unreached"]] == [str(folder)]
