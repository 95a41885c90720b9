"""Which Kafka the local stack takes, and the reason it gives for each step down."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from llamalog_tools.devstack import (
    ApacheKafkaUnavailableError,
    EmbeddedKafka,
    GivenKafka,
    LocalStack,
    LocalStackError,
    StackOptions,
    choose_kafka,
)
from llamalog_tools.devstack.apache_kafka.jars import HASHES, POM, fetch_jars

Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Leaves nothing on the PATH but what the stack itself needs, and adds scripts to it."""
    path = tmp_path / "bin"
    path.mkdir()
    for needed in ("sh", "setpriv", "unshare", "true", "sleep"):
        if found := shutil.which(needed):
            (path / needed).symlink_to(found)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def write(name: str, script: str) -> None:
        file = path / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    return write


_JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""

_COPY = """for word; do case "$word" in
-DoutputDirectory=*) echo "not a jar" > "${{word#*=}}/{jar}" ;;
esac; done"""


def _notes(tmp_path: Path, options: StackOptions) -> str:
    notes: list[str] = []
    broker = choose_kafka(tmp_path / "data", options, notes.append)
    assert isinstance(broker, EmbeddedKafka)
    assert broker.limits is not None
    assert notes[-1].endswith(broker.limits)
    return " ".join(notes)


def test_a_given_kafka_comes_first_and_is_neither_started_nor_stopped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        notes: list[str] = []
        broker = choose_kafka(tmp_path, StackOptions(kafka=address, require_apache=True), notes.append)
        assert isinstance(broker, GivenKafka)
        broker.start()
        broker.stop()
        assert broker.bootstrap == address
        assert notes == [f"Kafka: the one given, {address}."]
        with pytest.raises(LocalStackError, match="was not started by llamalog"):
            broker.kill()
    with pytest.raises(LocalStackError, match="nothing answers there"):
        broker.start()


@pytest.mark.parametrize("value", ["localhost", "127.0.0.1:kafka", ":9092", "a:1,b"])
def test_a_given_kafka_that_is_no_address_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(LocalStackError, match="has to be host:port"):
        choose_kafka(tmp_path, StackOptions(kafka=value))


def test_without_java_the_embedded_broker_is_taken(tmp_path: Path, program: Program) -> None:
    assert "Java is not installed here" in _notes(tmp_path, StackOptions(cache=tmp_path))


@pytest.mark.parametrize(("version", "called"), [("1.8.0_402", "8"), ("11.0.2", "11"), ("16-ea", "16")])
def test_an_old_java_is_recognised_by_its_version(
    tmp_path: Path, program: Program, version: str, called: str
) -> None:
    program("java", f"""echo 'openjdk version "{version}" 2019-01-15' >&2""")
    assert f"is Java {called}; it needs 17 or later" in _notes(tmp_path, StackOptions(cache=tmp_path))


def test_a_java_that_does_not_run_is_reported_with_its_output(tmp_path: Path, program: Program) -> None:
    program("java", "echo 'no runtime present' >&2; exit 1")
    assert "it prints 'no runtime present'" in _notes(tmp_path, StackOptions(cache=tmp_path))


def test_java_home_goes_before_the_path(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("java", _JAVA_17)
    (tmp_path / "home" / "bin").mkdir(parents=True)
    program("../home/bin/java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert "is Java 11" in _notes(tmp_path, StackOptions(cache=tmp_path))


def test_without_maven_and_without_cached_jars_the_embedded_broker_is_taken(
    tmp_path: Path, program: Program
) -> None:
    program("java", _JAVA_17)
    assert "Maven (`mvn`) is not installed here" in _notes(tmp_path, StackOptions(cache=tmp_path / "cache"))


def test_jars_that_cannot_be_fetched_are_reported_with_mavens_first_error(
    tmp_path: Path, program: Program
) -> None:
    program("java", _JAVA_17)
    program("mvn", "echo '[ERROR] Could not transfer artifact kafka_2.13'; exit 1")
    notes = _notes(tmp_path, StackOptions(cache=tmp_path / "cache"))
    assert "could not be fetched: Could not transfer artifact kafka_2.13" in notes


def test_jars_that_are_not_the_committed_ones_are_not_used(tmp_path: Path, program: Program) -> None:
    program("java", _JAVA_17)
    program("mvn", _COPY.format(jar="jspecify-1.0.0.jar"))
    notes = _notes(tmp_path, StackOptions(cache=tmp_path / "cache"))
    assert f"is not what {HASHES.name} lists" in notes
    assert not [found for found in (tmp_path / "cache").iterdir() if found.suffix == "" and found.is_dir()]


def test_a_fetch_that_was_killed_leaves_nothing_that_counts(tmp_path: Path, program: Program) -> None:
    program("java", _JAVA_17)
    program("mvn", _COPY.format(jar="half.jar") + "\nkill -9 $$")
    _notes(tmp_path, StackOptions(cache=tmp_path / "cache"))
    program("mvn", "exit 1")
    assert "could not be fetched" in _notes(tmp_path, StackOptions(cache=tmp_path / "cache"))


@pytest.mark.apache_kafka
def test_cached_jars_are_the_committed_ones_and_need_no_maven(tmp_path: Path, program: Program) -> None:
    cache = StackOptions.from_environment().cache
    try:
        jars = fetch_jars(cache)
    except ApacheKafkaUnavailableError as reason:
        pytest.skip(f"no cached jars: {reason}")
    names = {line.split()[1] for line in HASHES.read_text().splitlines()}
    assert {jar.name for jar in jars.iterdir()} == names


def test_where_apache_kafka_is_required_its_absence_is_an_error_with_the_reason(
    tmp_path: Path, program: Program
) -> None:
    for options in (
        StackOptions(require_apache=True, cache=tmp_path),
        StackOptions(require_apache=True, cache=tmp_path, kafka="embedded"),
    ):
        with pytest.raises(
            ApacheKafkaUnavailableError, match=r"is required .*, but: (Java is|LLAMALOG_KAFKA)"
        ):
            choose_kafka(tmp_path, options)


def test_the_environment_is_read_and_an_empty_variable_counts_as_unset() -> None:
    assert StackOptions.from_environment({"LLAMALOG_KAFKA": "", "LLAMALOG_CACHE": ""}) == StackOptions()
    assert StackOptions.from_environment(
        {
            "LLAMALOG_KAFKA": "kafka:9092",
            "LLAMALOG_DATABASE_URL": "postgresql://db/llamalog",
            "LLAMALOG_REQUIRE_APACHE_KAFKA": "1",
            "LLAMALOG_CACHE": "/var/cache/llamalog",
        }
    ) == StackOptions("kafka:9092", "postgresql://db/llamalog", True, Path("/var/cache/llamalog"))
    with pytest.raises(LocalStackError, match="has to be 1 or 0"):
        StackOptions.from_environment({"LLAMALOG_REQUIRE_APACHE_KAFKA": "maybe"})


def test_a_stack_keeps_its_notes_and_a_given_database_is_only_looked_at(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://user:secret@127.0.0.1:{server.getsockname()[1]}/theirs"
        options = StackOptions(kafka="embedded", database_url=url)
        with LocalStack(tmp_path, options) as stack:
            assert stack.postgres.url == url
            assert "asks for the embedded broker" in " ".join(stack.notes)
            assert not (tmp_path / "postgres").exists()
    with (
        pytest.raises(LocalStackError, match="nothing answers there") as refused,
        LocalStack(tmp_path, options),
    ):
        pass
    assert "secret" not in str(refused.value)


def test_the_pom_names_the_version_whose_hashes_are_committed() -> None:
    version = POM.read_text().partition("<artifactId>kafka_2.13</artifactId>")[2]
    version = version.partition("<version>")[2].partition("<")[0]
    assert f"kafka_2.13-{version}.jar" in HASHES.read_text()
