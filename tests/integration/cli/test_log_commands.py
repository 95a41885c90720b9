"""The commands that query the log: what people read, what programs get, and how they end."""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from harness.commands import Commands
from harness.environments import environment_of_database
from harness.writers import KeptMessages, Recomputer, Writer
from histories import NOON, chains, event, retraction
from llamalog_schemas.events import (
    DataQuality,
    EntityEnriched,
    EntityEvent,
    EntityFailed,
    EntityLinked,
    EntityType,
    FailureData,
    Status,
)
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.jobs import read_chain, read_tree
from llamalog_service.queries.timeline import read_timeline
from llamalog_service.settings import Settings

ALBUM, TRACK, ARTIST = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)


def about(
    original: EntityEvent, entity: tuple[EntityType, UUID], operation: str, name: str, **more: Any
) -> EntityEvent:
    """An event about an entity of the album, otherwise as it was."""
    kind, identity = entity
    data = replace(
        original.data,
        entity_type=kind,
        entity_id=identity,
        album_id=ALBUM,
        operation=operation,
        metadata={"title": name},
        **more,
    )
    return replace(original, data=data)


THE_ALBUM = (EntityType.ALBUM, ALBUM)
STORY: Sequence[EntityEvent] = (
    about(event(1, "add/1"), THE_ALBUM, "album:created", "Blue Train", user_id="ada"),
    about(
        event(2, "enrich 1", "add/1", kind=EntityEnriched),
        THE_ALBUM,
        "enrichment:album",
        "Blue Train",
        sources=("MUSICBRAINZ",),
        data_quality_before=DataQuality.LOW,
        data_quality_after=DataQuality.HIGH,
    ),
    about(event(3, "track-1", "enrich 1"), (EntityType.TRACK, TRACK), "track:created", "Locomotion"),
    about(
        event(4, "link-1", "track-1", kind=EntityLinked),
        (EntityType.ARTIST, ARTIST),
        "artist:linked",
        "John Coltrane",
    ),
    EntityFailed(
        id=str(UUID(int=5)),
        source="/tests",
        time=NOON + timedelta(milliseconds=5),
        specversion="1.0",
        data=FailureData(
            entity_type=EntityType.ALBUM,
            album_id=ALBUM,
            operation="cache:cover",
            status=Status.FAILED,
            error_code="RATE_LIMITED",
            error_message="too many requests",
            job_id="cover-1",
            parent_job_id="never came",
        ),
    ),
    about(event(6, kind=EntityEnriched), THE_ALBUM, "spotify:sync", "Blue Train"),
)


@pytest.fixture
async def reader(pool: asyncpg.Pool) -> Reader:
    """The story is published, the parents after their children."""
    kept = KeptMessages()
    writer = Writer(pool, kept)
    for one in reversed(STORY):
        await writer.write(one)
    await Recomputer(pool, kept).settle()
    return Reader(pool)


@pytest.fixture
def commands(database_url: str) -> Commands:
    return Commands(Settings(database_url=SecretStr(database_url), kafka="none:1"))  # they need none


LEGEND = "+ created  ⇄ linked  ↑ enriched  ✎ corrected  ▣ cached  ✗ failed  root corrected later"


def golden(printed: str) -> list[str]:
    """Its lines, those of the legend left out."""
    return [line.rstrip() for line in printed.splitlines() if LEGEND not in line]


async def test_a_timeline_is_the_tree_of_an_entitys_lineage_and_of_rows_of_unknown_origin(
    commands: Commands, reader: Reader
) -> None:
    assert golden(await commands.done("timeline", "album", str(ALBUM))) == [
        f"The timeline of Blue Train  ALBUM {ALBUM}",
        "├── + 12:00:00.001  album:created  Blue Train",
        "│   └── ↑ 12:00:00.002  enrichment:album  Blue Train  quality LOW → HIGH  root corrected",
        "│       └── + 12:00:00.003  track:created  Locomotion  root corrected",
        "│           └── ⇄ 12:00:00.004  artist:linked  John Coltrane  root corrected",
        "├── never came  (nothing of its own here)",
        "│   └── ✗ 12:00:00.005  cache:cover  FAILED  RATE_LIMITED  Origin unknown: PENDING",
        "└── ↑ 12:00:00.006  spotify:sync  Blue Train  Origin unknown: UNTRACKED  outside of any job",
    ]
    lineage = golden(await commands.done("timeline", "TRACK", str(TRACK)))
    assert lineage == [
        f"The timeline of Locomotion  TRACK {TRACK}",
        "└── + 12:00:00.001  album:created  Blue Train",
        "    └── ↑ 12:00:00.002  enrichment:album  Blue Train  quality LOW → HIGH  root corrected",
        "        └── + 12:00:00.003  track:created  Locomotion  root corrected",
        "            └── ⇄ 12:00:00.004  artist:linked  John Coltrane  root corrected",
    ]
    without = golden(await commands.done("timeline", "ALBUM", str(ALBUM), "--no-orphans"))
    assert without[1:] == lineage[1:]
    assert golden(await commands.done("timeline", "ALBUM", str(ALBUM), "--limit", "2", "--jobs"))[1:] == [
        "Only the oldest 2 entries are shown; --limit shows more.",
        "└── + 12:00:00.001  album:created  Blue Train  add/1",
        "    └── ↑ 12:00:00.002  enrichment:album  Blue Train  quality LOW → HIGH  root corrected  enrich 1",
    ]


async def test_a_tree_is_everything_that_a_job_led_to_with_the_names_of_the_jobs(
    commands: Commands, reader: Reader
) -> None:
    below = [
        "└── ↑ 12:00:00.002  enrichment:album  Blue Train  quality LOW → HIGH  root corrected  enrich 1",
        "    └── + 12:00:00.003  track:created  Locomotion  root corrected  track-1",
        "        └── ⇄ 12:00:00.004  artist:linked  John Coltrane  root corrected  link-1",
    ]
    assert golden(await commands.done("tree", "enrich 1")) == ["What enrich 1 led to", *below]
    assert golden(await commands.done("tree", "add/1")) == [
        "What add/1 led to",
        "└── + 12:00:00.001  album:created  Blue Train  add/1",
        *(f"    {line}" for line in below),
    ]
    assert golden(await commands.done("tree", "never came"))[1:] == [
        "└── never came  (nothing of its own here)",
        "    └── ✗ 12:00:00.005  cache:cover  FAILED  RATE_LIMITED  Origin unknown: PENDING  cover-1",
    ]


async def test_a_chain_shows_what_triggered_a_job_and_on_request_what_it_started(
    commands: Commands, reader: Reader
) -> None:
    upwards = [
        "└── add/1  + 2026-02-10 12:00:00.001  album:created  Blue Train  1 row, 1 below",
        "    └── enrich 1  ↑ 2026-02-10 12:00:00.002  enrichment:album  Blue Train  1 row, 1 below",
    ]
    assert golden(await commands.done("chain", "link-1")) == [
        "What triggered link-1",
        "Its root is add/1 (RESOLVED)",
        *upwards,
        "        └── track-1  + 2026-02-10 12:00:00.003  track:created  Locomotion  1 row, 1 below",
        "            └── link-1  ⇄ 2026-02-10 12:00:00.004  artist:linked  John Coltrane  1 row, 0 below",
    ]
    assert golden(await commands.done("chain", "enrich 1", "--below")) == [
        "What triggered enrich 1",
        "Its root is add/1 (RESOLVED)",
        *upwards,
        "        └── + 2026-02-10 12:00:00.003  track:created  Locomotion  root corrected  track-1",
        "            └── ⇄ 2026-02-10 12:00:00.004  artist:linked  John Coltrane  root corrected  link-1",
    ]
    assert golden(await commands.done("chain", "add/1"))[1] == "Its root is add/1 itself (ROOT)"


async def test_a_chain_says_why_its_root_is_not_known(pool: asyncpg.Pool, commands: Commands) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(event(1, "a", "b"), event(2, "b", "a"), event(3, "c", "lost"))
    await Recomputer(pool, kept).settle()
    assert golden(await commands.done("chain", "a")) == [
        "What triggered a",
        "Origin unknown: the parents form a cycle, a → b → a",
        "└── b  + 2026-02-10 12:00:00.002  track:created:test  1 row, 1 below",
        "    └── a  + 2026-02-10 12:00:00.001  track:created:test  1 row, 1 below",
    ]
    assert golden(await commands.done("chain", "c")) == [
        "What triggered c",
        "Origin unknown: PENDING",
        "└── lost  (never seen)",
        "    └── c  + 2026-02-10 12:00:00.003  track:created:test  1 row, 0 below",
    ]
    below = golden(await commands.done("chain", "a", "--below"))[4:]
    assert below == ["        └── + 2026-02-10 12:00:00.002  track:created:test  Origin unknown: CYCLE  b"], (
        "each of the two has started the other"
    )


async def test_logs_are_the_newest_rows_the_newest_at_the_end(commands: Commands, reader: Reader) -> None:
    assert golden(await commands.done("logs", "--limit", "3")) == [
        "2026-02-10 12:00:00.004  ⇄ LINKED    artist:linked  John Coltrane  "
        f"ARTIST {ARTIST}  job link-1  root add/1  root corrected  by /tests",
        "2026-02-10 12:00:00.005  ✗ FAILED    cache:cover  FAILED  RATE_LIMITED  too many requests  "
        "ALBUM (no id)  job cover-1  Origin unknown: PENDING  by /tests",
        "2026-02-10 12:00:00.006  ↑ ENRICHED  spotify:sync  Blue Train  "
        f"ALBUM {ALBUM}  Origin unknown: UNTRACKED  by /tests",
    ]


async def test_a_retracted_row_is_marked_in_lists_timelines_and_trees(
    commands: Commands, reader: Reader, pool: asyncpg.Pool
) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(retraction(9, 4))
    await Recomputer(pool, kept).settle()
    listed = golden(await commands.done("logs", "--job", "link-1"))
    assert listed == [
        "2026-02-10 12:00:00.004  ⇄ LINKED    artist:linked  retracted  John Coltrane  "
        f"ARTIST {ARTIST}  job link-1  root itself  root corrected  by /tests",
    ]
    for command in (("timeline", "artist", str(ARTIST)), ("tree", "link-1"), ("chain", "link-1")):
        (line,) = [line for line in golden(await commands.done(*command)) if "artist:linked" in line]
        assert "artist:linked  retracted" in line
    (row,) = json.loads(await commands.done("tree", "link-1", "--json"))["entries"]
    assert row["row"]["retracted"] is True


async def test_producers_are_counted_and_rows_without_one_told_apart(
    commands: Commands, reader: Reader, pool: asyncpg.Pool
) -> None:
    assert await reader.rows("producers", 1)
    await pool.execute("UPDATE llama_logs SET producer_id = NULL WHERE job_id = 'link-1'")
    counted = json.loads(await commands.done("producers", "--json"))
    (only,) = counted["producers"]
    assert (only["producer"], only["rows"], only["lastEventAt"]) == (
        "/tests",
        5,
        "2026-02-10T12:00:00.006000Z",
    )
    assert (counted["areMore"], counted["legacyRows"], counted["notKept"]) == (False, 0, 1)
    assert "recorded before producers were" in await commands.done("producers")
    assert "  by " not in await commands.done("logs", "--job", "link-1")


FILTERS = {
    "--category linked": [4],
    "--status failed": [5],
    "--type ARTIST": [4],
    f"--entity {TRACK}": [3],
    "--operation track:created": [3],
    "--operation *": [1, 2, 3, 4, 5, 6],
    "--operation album:*": [1],
    "--source MUSICBRAINZ": [2],
    "--user ada": [1],
    "--producer /tests": [1, 2, 3, 4, 5, 6],
    "--producer /others": [],
    "--trace 0af7651916cd43dd8448eb211c80319c": [],
    "--job add/1": [1],
    "--root add/1": [1, 2, 3, 4],
    "--root add/1 --limit 1": [4],
    "--origin untracked": [6],
    "--since 2026-02-10T12:00:00.005": [5, 6],
    "--since 2h": [],
    "--until 2026-02-10T13:00:00.003+01:00": [1, 2],
    "--error RATE": [5],
    "--error MANY": [5],
    "--roots": [1],
    "--unknown": [5, 6],
    "--search locomotion": [3],
    "--category created --type track": [3],
}
"""The rows of the story that each finds."""


async def test_logs_are_selected_by_their_values(commands: Commands, reader: Reader) -> None:
    found = {
        options: [UUID(row["id"]).int for row in await commands.json_lines("logs", *options.split())]
        for options in FILTERS
    }
    assert found == FILTERS


async def test_logs_of_more_than_a_page_are_read_to_their_end(pool: asyncpg.Pool, commands: Commands) -> None:
    await Writer(pool, KeptMessages()).write(*chains(1200))
    found = await commands.json_lines("logs", "--limit", "1100")
    assert [UUID(row["id"]).int for row in found] == list(range(101, 1201))
    tree = json.loads(await commands.done("tree", "root-1", "--json"))
    assert [entry["depth"] for entry in tree["entries"]] == [0, 1, 2]


async def test_programs_get_the_answers_of_the_queries(commands: Commands, reader: Reader) -> None:
    async def printed(*words: str) -> Any:
        return json.loads(await commands.done(*words, "--json"))

    def answered(answer: object) -> Any:
        return json.loads(msgspec.json.encode(answer))

    timeline = await read_timeline(reader, EntityRef(type=EntityType.ALBUM, id=ALBUM))
    tree, chain = await read_tree(reader, "enrich 1"), await read_chain(reader, "enrich 1")
    assert await printed("timeline", "ALBUM", str(ALBUM)) == answered(timeline)
    assert await printed("tree", "enrich 1") == answered(tree)
    assert await printed("chain", "enrich 1") == answered(chain)
    assert await printed("chain", "enrich 1", "--below") == {
        "chain": answered(chain),
        "below": answered(tree),
    }
    assert await commands.json_lines("logs", "--category", "LINKED") == [answered(timeline.entries[3].row)]


async def test_the_counts_are_shown_with_what_wants_attention(commands: Commands, reader: Reader) -> None:
    window = ("--since", "2026-02-10", "--until", "2026-02-11")
    bar = "█" * 30
    assert golden(await commands.done("stats", *window)) == [
        "Rows by hour, 2026-02-10 00:00 to 2026-02-11 00:00 UTC",
        "                   + created  ⇄ linked  ↑ enriched  ✗ failed  all",
        f" 2026-02-10 12:00          2         1           2         1    6  {bar}",
        "",
        "Origin unknown, in the whole log",
        f" PENDING    the topmost job was never seen  1  {bar}",
        f" UNTRACKED  no job and no parent named      1  {bar}",
        "",
        "Jobs never seen that are waited for",
        f" never came  since 2026-02-10 12:00  1  {bar}",
        "",
        "Contradictions: none",
        "",
        "`llamalog logs --unknown` and `llamalog conflicts` have the rows.",
        "",
    ]
    stats = json.loads(await commands.done("stats", *window, "--each", "day", "--json"))
    assert stats["counts"]["bucket"] == "day"
    [day] = stats["counts"]["buckets"]
    assert day["byCategory"] == {"CREATED": 2, "LINKED": 1, "ENRICHED": 2, "FAILED": 1}
    assert stats["unknownOrigins"] == {"rows": 2, "byReason": {"PENDING": 1, "UNTRACKED": 1}}
    assert [job["job"] for job in stats["waitingJobs"]["items"]] == ["never came"]
    assert stats["conflicts"]["parents"] == 0

    assert "No rows from " in await commands.done("stats")
    weeks_since_christ = (datetime.now(UTC) - datetime.min.replace(tzinfo=UTC)) // timedelta(weeks=1)
    assert "No rows from " in await commands.done("stats", "--until", f"{weeks_since_christ}w")
    assert "is no moment" in await commands.refused("stats", "--until", "0001-01-01", code=2)
    too_many = await commands.refused("stats", "--since", "2000-01-01", "--each", "hour")
    assert "ask for a shorter time, or for larger buckets" in too_many


async def test_values_cannot_steer_the_terminal(pool: asyncpg.Pool, commands: Commands) -> None:
    wicked = "[red]\x1b[2J\r\u202e\x9b"
    hostile = about(event(1, f"job{wicked}", f"parent{wicked}"), THE_ALBUM, f"op{wicked}", wicked)
    await Writer(pool, KeptMessages()).write(hostile)
    for words in (
        ("timeline", "ALBUM", str(ALBUM), "--jobs"),
        ("tree", f"job{wicked}"),
        ("chain", f"job{wicked}", "--below"),
        ("logs",),
        ("stats",),
    ):
        printed = await commands.done(*words)
        assert "[red]�[2J���" in printed, words
        assert set(printed) & set("\x1b\r\u202e\x9b") == set(), words


@pytest.mark.parametrize("words", [("logs",), ("logs", "--json"), ("tree", "root")], ids=" ".join)
async def test_a_reader_that_has_had_enough_ends_a_command_without_a_word(
    words: Sequence[str], pool: asyncpg.Pool, database_url: str
) -> None:
    await Writer(pool, KeptMessages()).write(
        event(1, "root"), *(event(number, f"job-{number}", "root") for number in range(2, 2000))
    )
    environment = environment_of_database(database_url) | {"PYTHONUNBUFFERED": ""}
    command = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        'set -o pipefail; "$@" | head -n 1',
        "bash",
        *(sys.executable, "-m", "llamalog_service", *words, "--limit", "2000"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    printed, complaints = await command.communicate()
    assert (len(printed.splitlines()), complaints, command.returncode) == (1, b"", 141)


@pytest.mark.usefixtures("reader")
async def test_explain_names_the_rule_the_chain_and_the_history(commands: Commands) -> None:
    printed = golden(await commands.done("explain", "enrich 1"))
    assert printed[:3] == [
        f"Why the row {UUID(int=2)} has its root",
        "root add/1 (RESOLVED)",
        "├── The walk ends at add/1, which was seen and has no parent, so that it is the root: RESOLVED.",
    ]
    text = "\n".join(printed)
    assert "The parent of enrich 1 is add/1, by its earliest claim:" in text
    assert "Origin unknown: PENDING → root add/1 (RESOLVED)\n        A recompute." in text
    as_row = json.loads(await commands.done("explain", str(UUID(int=2)), "--json"))
    assert (as_row["root"], as_row["history"]["isCut"]) == ("add/1", False)


@pytest.mark.usefixtures("reader")
async def test_explain_names_what_was_taken_back_by_whom_and_why_and_the_producers(
    commands: Commands, pool: asyncpg.Pool
) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(retraction(9, 4, at=90, by="ann", reason="a \x1b[31mguess"))
    await Recomputer(pool, kept).settle()
    printed = golden(await commands.done("explain", str(UUID(int=4))))
    assert printed[:2] == [
        f"Why the row {UUID(int=4)} has its root",
        "root link-1 (ROOT)  retracted",
    ]
    text = " ".join(" ".join(printed).split())
    assert "\x1b" not in text
    assert "The row itself is retracted: it makes no claim and no declaration. ann took it back at" in text
    assert "link-1 2026-02-10 12:00:00.004 artist:linked by /tests" in text
    assert "The claim that its parent is track-1 does not count, since it is retracted" in text
    assert f"ann took back the event of row {UUID(int=4)}, artist:linked, by /tests: a " in text


@pytest.mark.usefixtures("reader")
async def test_as_of_shows_what_was_believed_and_refuses_what_is_not_known(
    commands: Commands, pool: asyncpg.Pool
) -> None:
    first: datetime = await pool.fetchval("SELECT recorded_at FROM llama_logs WHERE id = $1", UUID(int=2))
    then = golden(await commands.done("timeline", "album", str(ALBUM), "--as-of", first.isoformat()))
    assert [line for line in then if "enrichment:album" in line] == [
        "│   └── ↑ 12:00:00.002  enrichment:album  Blue Train  quality LOW → HIGH  "
        "Origin unknown: PENDING  root corrected"
    ]
    assert "album:created" not in "\n".join(then)
    belief = await commands.done("explain", str(UUID(int=2)), "--as-of", first.isoformat())
    assert "UTC: Origin unknown: PENDING" in belief
    refused = await commands.refused("tree", "add/1", "--as-of", "2020-01-01")
    assert "the history of roots begins at" in " ".join(refused.split())
