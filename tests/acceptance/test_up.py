"""`llamalog-dev up`, as a newcomer meets it: one command, and the whole way is travelled."""

import asyncio
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from acceptance.starts import READY, SAMPLE, Up, run_llamalog, run_shell
from harness.databases import run_sql
from harness.waiting import eventually
from llamalog_schemas.codec import decode_event
from llamalog_service.domain.fold import FoldedRow, fold
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.messages import Kind, SampleMessage

EMBEDDED = "embedded"
README = Path(__file__).parents[2] / "README.md"


@dataclass(frozen=True)
class Start:
    """What one start printed and left."""

    up: Up
    rows: list[Any]
    timeline: str
    exit_code: int
    left: list[psutil.Process]


async def logged_rows(up: Up) -> list[Any]:
    return await run_sql(up.database_url(), "SELECT id, root_job_id, origin::text, revision FROM llama_logs")


def start_and_interrupt(folder: Path, kafka: str) -> Start:
    with Up(folder, kafka) as up:
        up.wait_for(READY)
        rows = asyncio.run(logged_rows(up))
        suggested = next(line for line in up.printed.splitlines() if "llamalog timeline" in line).split()
        timeline = run_llamalog(*suggested[1:], environment=up.exported())
        assert timeline.returncode == 0, timeline.stderr
        code = up.end(signal.SIGINT)
        return Start(up, rows, timeline.stdout, code, up.left_after(0))


@pytest.fixture(scope="module", params=["", EMBEDDED], ids=["broker of choice", "embedded broker"])
def starts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Start, Start]:
    """Two starts on one folder, each ended by Ctrl-C."""
    folder = tmp_path_factory.mktemp("up")
    return start_and_interrupt(folder, request.param), start_and_interrupt(folder, request.param)


@pytest.fixture(scope="module")
def messages() -> list[SampleMessage]:
    day = generate_day(int(SAMPLE["albums"]), int(SAMPLE["seed"]))
    shares = {name: SAMPLE[name] for name in ("late", "duplicates", "bad")}
    return list(disordered(day, seed=int(SAMPLE["seed"]), **shares))


@pytest.fixture(scope="module")
def oracle(messages: list[SampleMessage]) -> list[FoldedRow]:
    events = [decode_event(message.value) for message in messages if message.kind is Kind.EVENT]
    return list(fold(events).values())


def roots_of(rows: list[Any]) -> list[Any]:
    return sorted((row["id"], row["root_job_id"], row["origin"]) for row in rows)


def folded_roots(oracle: list[FoldedRow]) -> list[Any]:
    return sorted((row.content.id, row.root.root_job_id, row.root.origin) for row in oracle)


def test_the_log_is_the_fold_of_the_sample_after_every_start(
    starts: tuple[Start, Start], oracle: list[FoldedRow]
) -> None:
    for start in starts:
        assert roots_of(start.rows) == folded_roots(oracle)


def test_the_printed_numbers_are_those_of_the_sample_and_of_the_database(
    starts: tuple[Start, Start], oracle: list[FoldedRow], messages: list[SampleMessage]
) -> None:
    first, _ = starts
    table = first.up.table()
    kinds = Counter(message.kind for message in messages)
    corrected = sum(row["revision"] > 1 for row in first.rows)
    assert table["messages in"] == (len(messages),) * 2
    assert table["rows in the log"] == (len(first.rows),) * 2 == (kinds[Kind.EVENT],) * 2
    assert table["duplicates, not written again"] == (kinds[Kind.DUPLICATE],) * 2
    assert table["dead letters"] == (kinds[Kind.BAD],) * 2
    assert table["rows corrected after a late parent"] == (corrected,) * 2
    assert table["provenance records out"][0] >= len(first.rows) + corrected
    origins = {name.split()[1]: counts[0] for name, counts in table.items() if name.startswith("root: ")}
    assert origins == Counter(row.root.origin for row in oracle)


def test_rows_below_a_late_parent_are_shown_as_corrected(
    starts: tuple[Start, Start],
) -> None:
    first, _ = starts
    table = first.up.table()
    assert table["rows corrected after a late parent"][0] > 0
    assert table["by backfill commands"][0] > 0
    tree = first.up.printed.partition("The timeline of")[2].partition("Where to look next")[0]
    assert "album:created" in tree
    assert "root corrected" in tree.partition("album:created")[2]
    assert first.timeline.partition("album:created")[2] == tree.partition("album:created")[2]


def test_a_second_start_works_on_what_the_first_left(
    starts: tuple[Start, Start], messages: list[SampleMessage]
) -> None:
    first, second = starts
    now, before = second.up.table(), first.up.table()
    if "(Tansu)" in second.up.printed:
        assert "The database was emptied" not in first.up.printed
        assert "The database was emptied: the embedded broker (Tansu) keeps topics in memory only" in (
            second.up.printed
        )
        assert now["messages in"] == before["messages in"]
        assert now["rows in the log"] == before["rows in the log"]
        return
    bad = before["dead letters"][0]
    assert "nothing was written twice" in second.up.printed
    assert f"{bad} that are no valid event were in the topic and not sent again." in second.up.printed
    assert now["messages in"] == (len(messages) - bad, 2 * len(messages) - bad)
    assert now["rows in the log"] == (0, before["rows in the log"][1])
    assert now["dead letters"] == (0, bad)
    assert now["duplicates, not written again"][0] == len(messages) - bad
    assert first.up.exported() == second.up.exported()


def test_ctrl_c_ends_everything_in_good_order(starts: tuple[Start, Start]) -> None:
    for start in starts:
        assert start.exit_code == 0
        assert start.left == []
        password = (start.up.data / "postgres" / "password").read_text().strip()
        assert password not in start.up.printed, "what is printed may be kept by a log"
        printed = [
            "Stopping: first the API and the consumers, then Kafka, then PostgreSQL.",
            "The API has stopped.",
            "The provenance consumer has stopped.",
            "The migration consumer has stopped.",
            "Everything has stopped.",
        ]
        places = [start.up.printed.index(line) for line in printed]
        assert places == sorted(places)
        assert "Traceback" not in start.up.printed


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Up(tmp_path, EMBEDDED) as started:
        yield started


def test_a_kill_leaves_no_process(up: Up) -> None:
    up.wait_for("migration consumer were started")
    assert len(up.family()) >= 5, "PostgreSQL, Kafka, two consumers and the API"
    up.end(signal.SIGKILL)
    assert up.left_after(15) == []


def test_sigterm_before_all_is_up_stops_what_is_there(up: Up) -> None:
    up.wait_for("The database was migrated")
    assert up.end(signal.SIGTERM) == 0
    assert up.left_after(0) == []
    assert "Everything has stopped." in up.printed


def lines_to_paste(heading: str) -> list[str]:
    """The commands of a section of the README."""
    section = README.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n#")[0]
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]


def pasted(line: str, up: Up) -> str:
    """A line of the README with this checkout's commands, this start's folder, and fewer albums."""
    programs = f"{Path(sys.executable).parent}/"
    return (
        line.replace(".venv/bin/", programs)
        .replace(".llamalog/", f"{up.data}/")
        .replace("--albums 300", f"--albums {SAMPLE['albums']}")
    )


def test_what_is_killed_is_started_again_and_nothing_is_lost(tmp_path: Path, oracle: list[FoldedRow]) -> None:
    with Up(tmp_path) as up:
        up.wait_for("migration consumer were started")
        for command in ("consumer", "migration-consumer", "api"):
            os.kill(int((up.data / f"{command}.pid").read_text()), signal.SIGKILL)
        (postgres,) = (member for member in up.family() if "-D" in member.cmdline())
        postgres.kill()
        up.wait_for(READY)
        for name in ("The provenance consumer", "The migration consumer", "The API", "PostgreSQL"):
            assert f"{name} ended with code -9 (SIGKILL) and is started again." in up.printed
        assert roots_of(asyncio.run(logged_rows(up))) == folded_roots(oracle)
        if apache := re.search(r"^Kafka: (Apache Kafka .*)\.$", up.printed, re.MULTILINE):
            (broker,) = (member for member in up.family() if "kafka.Kafka" in member.cmdline())
            broker.kill()
            up.wait_for(f"{apache[1]} serves again.")

        lines = lines_to_paste("### Kill the consumer")
        assert len(lines) == 3
        script = "\n".join(pasted(line, up) for line in lines)
        compared = run_shell(script, environment=up.exported(), folder=tmp_path)
        assert compared.returncode == 0, (compared.stdout, compared.stderr)
        assert "Nothing differs" in compared.stdout
        up.wait_for("The provenance consumer ended with code -9 (SIGKILL)", times=2)
        played = len(list(generate_day(int(SAMPLE["albums"]), seed=8)))

        async def is_recorded() -> bool:
            return len(await logged_rows(up)) == len(oracle) + played

        asyncio.run(eventually(is_recorded))
        assert up.end(signal.SIGINT) == 0
        assert not list(up.data.glob("*.pid"))


def test_a_given_database_filled_from_a_kafka_that_is_gone_is_refused_and_kept(
    tmp_path: Path, database_url: str
) -> None:
    with Up(tmp_path, EMBEDDED, LLAMALOG_DATABASE_URL=database_url) as first:
        first.wait_for(READY)
        assert database_url not in first.printed, "the password of a given database is not shown"
        assert first.end(signal.SIGINT) == 0
    with Up(tmp_path, EMBEDDED, LLAMALOG_DATABASE_URL=database_url) as second:
        assert second.process.wait(60) == 1
        assert "was filled from another Kafka" in second.printed
        assert "Nothing was changed" in second.printed
    assert asyncio.run(run_sql(database_url, "SELECT count(*) FROM llama_logs"))[0]["count"] > 0
