"""Every failure around a command is a sentence and an exit code, never a traceback."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from acceptance.starts import clean_environment, run_llamalog
from harness.commands import invoked
from harness.environments import environment_of_database
from llamalog_service.kafka.topics import Topics, create_topics, topics
from llamalog_service.settings import Settings

UNREACHABLE = "postgresql://llamalog:secret-word@127.0.0.1:1/llamalog"
RUN = "0f9be2a4-6a0c-4d3e-9b1c-2f1d6c1d7a10"
COMMANDS_WITHOUT_KAFKA = [
    ["migrate"],
    ["adopt"],
    ["backfill", "list"],
    ["backfill", "show", RUN],
    ["timeline", "ALBUM", RUN],
    ["tree", "job"],
    ["chain", "job"],
    ["logs"],
    ["stats"],
    ["conflicts"],
]
SERVERS = {"checking the topics", "connecting to PostgreSQL"}
COMMANDS = [
    ["backfill", "start"],
    ["backfill", "pause", RUN],
    ["backfill", "watch", RUN],
    ["topics", "create"],
    ["topics", "check"],
    ["simulate"],
    ["consumer"],
    ["migration-consumer"],
    ["logs", "--follow"],
    ["adopt-root", "job", "--reason", "a test"],
    ["revoke", "job", "--reason", "a test"],
    ["dead-letters", "list"],
    ["dead-letters", "replay", "--all"],
]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port without a server, kept from others for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def errors_of(done: subprocess.CompletedProcess[str]) -> str:
    printed = done.stdout + done.stderr
    assert "Traceback" not in printed
    assert "secret-word" not in printed
    return printed


@pytest.fixture
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting in this process's environment, nor in a file."""
    for name in [name for name in os.environ if name.startswith("LLAMALOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run_here(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command to its end, in this process."""
    result = invoked(words, environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)


async def run_beside(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The same from a test that has a loop of its own."""
    return await asyncio.to_thread(run_here, *words, environment=environment)


def test_a_process_without_settings_says_so_and_ends_with_the_code_of_wrong_settings() -> None:
    for words in ["consumer"], ["simulate"]:
        done = run_llamalog(*words, environment={})
        assert done.returncode == 2
        assert done.stdout == ""
        assert errors_of(done).count("is not set") == 2


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_missing_settings_are_named_with_what_they_should_be(words: Sequence[str]) -> None:
    done = run_here(*words, environment={})
    assert done.returncode == 2
    assert errors_of(done).splitlines() == [
        "LLAMALOG_DATABASE_URL: is not set: postgresql://user:password@host:port/database",
        "LLAMALOG_KAFKA: is not set: bootstrap servers: host:port, comma-separated",
    ]


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize("words", COMMANDS_WITHOUT_KAFKA, ids=" ".join)
def test_what_needs_no_kafka_does_not_require_one(words: Sequence[str]) -> None:
    done = run_here(*words, environment={})
    assert done.returncode == 2
    assert errors_of(done).splitlines() == [
        "LLAMALOG_DATABASE_URL: is not set: postgresql://user:password@host:port/database"
    ]


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("LLAMALOG_DATABASE_URL", "mysql://u:secret-word@h/d", "has to be of the form postgresql://"),
        ("LLAMALOG_DATABASE_URL", "postgresql://u:secret-word@h:http/d", "Port could not be cast"),
        ("LLAMALOG_BATCH_RECORDS", "many", "valid integer"),
        ("LLAMALOG_LOG_FORMAT", "xml", "'human' or 'json'"),
    ],
)
def test_a_setting_that_is_wrong_is_named(setting: str, value: str, sentence: str) -> None:
    environment = {"LLAMALOG_DATABASE_URL": UNREACHABLE, "LLAMALOG_KAFKA": "127.0.0.1:1", setting: value}
    done = run_here("consumer", environment=environment)
    assert done.returncode == 2
    assert errors_of(done).startswith(f"{setting}: ")
    assert sentence in errors_of(done)


@pytest.mark.usefixtures("no_settings")
def test_a_password_file_that_is_away_is_named(tmp_path: Path) -> None:
    file = tmp_path / "password"
    environment = {
        "LLAMALOG_DATABASE_URL": UNREACHABLE,
        "LLAMALOG_KAFKA": "127.0.0.1:1",
        "LLAMALOG_DATABASE_PASSWORD_FILE": str(file),
    }
    done = run_here("migrate", environment=environment)
    assert done.returncode == 78
    assert f"cannot be read from {file} (LLAMALOG_DATABASE_PASSWORD_FILE)" in errors_of(done)


@pytest.mark.usefixtures("no_settings")
def test_a_database_that_is_away_is_named_by_migrate(silent_port: int) -> None:
    url = f"postgresql://llamalog:secret-word@127.0.0.1:{silent_port}/llamalog"
    done = run_here("migrate", environment={"LLAMALOG_DATABASE_URL": url, "LLAMALOG_KAFKA": "127.0.0.1:1"})
    assert done.returncode == 1
    assert f"PostgreSQL can't be reached at postgresql://llamalog:***@127.0.0.1:{silent_port}" in errors_of(
        done
    )


def test_a_kafka_that_is_away_is_named_by_commands_that_end(silent_port: int) -> None:
    kafka = f"127.0.0.1:{silent_port}"
    environment = {"LLAMALOG_DATABASE_URL": UNREACHABLE, "LLAMALOG_KAFKA": kafka}
    ending = [["topics", "check"], ["simulate"], ["dead-letters", "list"], ["logs", "--follow"]]
    with ThreadPoolExecutor() as at_once:  # each waits a while for Kafka
        done = at_once.map(lambda words: run_llamalog(*words, environment=environment), ending)
    for words, command in zip(ending, done, strict=True):
        assert command.returncode == 1, words
        assert f"llamalog: Kafka can't be reached at {kafka}. Check that it runs" in errors_of(command), words
        assert len(errors_of(command).splitlines()) == 2, (words, "that it waits, and that it gave up")


@pytest.mark.parametrize("command", ["consumer", "migration-consumer"])
def test_a_consumer_waits_for_servers_that_are_away(command: str, silent_port: int, tmp_path: Path) -> None:
    kafka = f"127.0.0.1:{silent_port}"
    environment = {
        "LLAMALOG_DATABASE_URL": UNREACHABLE,
        "LLAMALOG_KAFKA": kafka,
        "LLAMALOG_LOG_FORMAT": "json",
    }
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "llamalog_service", command],
            stderr=output,
            env=clean_environment() | environment,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while log.read_text().count('"waiting"') < len(SERVERS):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            time.sleep(1)
            assert process.poll() is None
        finally:
            process.kill()
    waits = [json.loads(line) for line in log.read_text().splitlines() if '"waiting"' in line]
    assert {line["doing"] for line in waits} == SERVERS
    assert {line["level"] for line in waits} == {"warning"}
    assert any(kafka in line["reason"] for line in waits)


async def create(settings: Settings, wanted: Topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await create_topics(admin, wanted)
    finally:
        await admin.close()


def elsewhere(settings: Settings) -> Settings:
    """The same servers, topics of another prefix that do not stand."""
    return settings.model_copy(update={"topic_prefix": f"test-{uuid4().hex[:8]}."})


async def test_nothing_starts_on_topics_that_are_missing(settings: Settings) -> None:
    misnamed = elsewhere(settings).as_environment()
    consumers = [run_llamalog(name, environment=misnamed) for name in ("consumer", "migration-consumer")]
    for done in [*consumers, await run_beside("simulate", environment=misnamed)]:
        assert done.returncode == 1, done.args
        assert errors_of(done).count("the topic does not exist") == 6
        assert "Create it with `llamalog topics create`, or correct the prefix." in errors_of(done)


async def test_topics_are_created_and_then_checked_well(settings: Settings) -> None:
    environment = elsewhere(settings).as_environment()
    missing = await run_beside("topics", "check", environment=environment)
    assert missing.returncode == 1
    assert errors_of(missing).count("error ") == 6
    first, again = [await run_beside("topics", "create", environment=environment) for _ in range(2)]
    assert (errors_of(first).count(": created"), errors_of(again).count(": kept")) == (6, 6)
    checked = await run_beside("topics", "check", environment=environment)
    assert checked.returncode == 0, errors_of(checked)


@pytest.mark.apache_kafka
async def test_entity_events_with_finite_retention_are_refused(settings: Settings) -> None:
    mine = elsewhere(settings)
    wanted = topics(mine.topic_prefix)
    events = wanted.entity_events
    await create(
        mine,
        replace(wanted, entity_events=replace(events, config={**events.config, "retention.ms": "86400000"})),
    )
    environment = mine.as_environment()
    for done in [
        await run_beside("topics", "check", environment=environment),
        run_llamalog("consumer", environment=environment),
    ]:
        assert done.returncode == 1, done.args
        assert f"{events.name}: its retention is finite (retention.ms=86400000)." in errors_of(done)
        assert "Set retention.ms=-1" in errors_of(done)


async def test_migrate_prints_that_it_applied_nothing(database_url: str) -> None:
    done = await run_beside("migrate", environment=environment_of_database(database_url))
    assert (done.returncode, done.stdout) == (0, "The database was up to date: nothing was applied.\n")


async def test_simulate_prints_what_it_played(settings: Settings) -> None:
    words = ["simulate", "--albums", "2", "--late", "10%", "--duplicates", "5%", "--bad", "5%"]
    done = await run_beside(*words, environment=settings.as_environment())
    assert done.returncode == 0, errors_of(done)
    assert done.stdout.startswith("Played ")
    assert " messages of 2 albums: " in done.stdout


def test_a_share_that_is_none_is_a_usage_error() -> None:
    done = run_here("simulate", "--late", "lots", environment={})
    assert done.returncode == 2
    assert '"lots" is no share' in errors_of(done)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["timeline", "album", RUN], f"The log knows no album {RUN}."),
        (["timeline", "TRACK", RUN], f"The log knows no track {RUN}."),
        (["tree", "no/such job"], "The log knows no job no/such job: no row bears or names it."),
        (["chain", "no/such job"], "The log knows no job no/such job: no row bears or names it."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_the_log_does_not_know_is_reported(
    words: Sequence[str], sentence: str, database_url: str
) -> None:
    done = await run_beside(*words, environment=environment_of_database(database_url))
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in errors_of(done)
