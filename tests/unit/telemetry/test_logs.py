"""The service's log: what a line looks like, and that no value can forge one or give a secret away."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from llamalog_schemas.events import Category
from llamalog_service.telemetry.logging import configure_logs

Written = Callable[[], str]
SECRET = "se/cr@et-word"  # noqa: S105
WICKED = "\n[🦙 LlamaLog] 2026-02-10 12:00:00 [info     ] forged\r\x1b[2J\u2028\u202e\x07\x9b31m"
STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def _log_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, configuration = root.handlers, root.level, structlog.get_config()
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**configuration)


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    """Everything written to standard error so far."""
    return lambda: capsys.readouterr().err


def without_time(line: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "NOW", line)


def log(name: str = "llamalog.consumer") -> Any:
    return structlog.get_logger(name)


def test_people_read_a_prefix_a_level_and_an_icon_for_each_category(written: Written) -> None:
    configure_logs("human", "debug")
    log().info("recorded", rows=1_203, categories={"CREATED": 1_200, "LINKED": 3}, duplicates=2)
    for category in Category:
        log().debug("row", category=category, job="album 1")
    assert [without_time(line) for line in written().splitlines()] == [
        "[🦙 LlamaLog] NOW [info     ] recorded + CREATED 1,200  ⇄ LINKED 3 [llamalog.consumer] "
        "rows=1203 duplicates=2",
        "[🦙 LlamaLog] NOW [debug    ] + CREATED   row [llamalog.consumer] job='album 1'",
        "[🦙 LlamaLog] NOW [debug    ] ⇄ LINKED    row [llamalog.consumer] job='album 1'",
        "[🦙 LlamaLog] NOW [debug    ] ↑ ENRICHED  row [llamalog.consumer] job='album 1'",
        "[🦙 LlamaLog] NOW [debug    ] ✎ CORRECTED row [llamalog.consumer] job='album 1'",
        "[🦙 LlamaLog] NOW [debug    ] ▣ CACHED    row [llamalog.consumer] job='album 1'",
        "[🦙 LlamaLog] NOW [debug    ] ✗ FAILED    row [llamalog.consumer] job='album 1'",
    ]


def test_a_terminal_gets_a_colour_for_each_category(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    configure_logs("human", "debug")
    for category in Category:
        log().debug("row", category=category)
    colours = re.findall(r"\x1b\[(\d+)m\S (\w+)", written())
    assert {word: colour for colour, word in colours} == {
        "CREATED": "32",
        "LINKED": "36",
        "ENRICHED": "34",
        "CORRECTED": "35",
        "CACHED": "33",
        "FAILED": "31",
    }


@pytest.mark.parametrize(
    "environment", [{}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}], ids=["a file", "NO_COLOR"]
)
def test_no_other_output_gets_colours(
    written: Written, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    configure_logs("human", "debug")
    log().warning("waiting", categories={"LINKED": 1}, category="LINKED")
    assert "\x1b" not in written()


def log_hostile_lines() -> int:
    """The number of lines that were logged."""
    log().info(WICKED, category=WICKED, categories={WICKED: 1}, job=WICKED, **{WICKED: 1})
    log(WICKED).info("held", names=[WICKED], offsets={WICKED: WICKED}, error=ValueError(WICKED))
    logging.getLogger("aiokafka").warning("unexpected: %s", WICKED)
    return 3


def test_no_value_ends_a_line_or_steers_the_terminal(written: Written) -> None:
    configure_logs("human", "debug")
    count = log_hostile_lines()
    lines = written().split("\n")[:-1]
    assert len(lines) == count
    assert [STEERING.findall(line) for line in lines] == [[]] * count
    assert all(line.startswith("[🦙 LlamaLog] ") for line in lines)


def test_json_is_one_object_a_line_for_any_values(written: Written) -> None:
    configure_logs("json", "debug")
    count = log_hostile_lines()
    lines = written().split("\n")[:-1]
    first, *_ = [json.loads(line) for line in lines]
    assert len(lines) == count
    assert not STEERING.search("".join(lines))
    assert (first["event"], first["job"], first["level"]) == (WICKED, WICKED, "info")


def test_the_lines_of_an_error_cannot_pass_for_lines_of_the_log(written: Written) -> None:
    configure_logs("human", "info")
    try:
        raise ValueError(WICKED)
    except ValueError:
        log().exception("broken")
    first, *rest = written().split("\n")[:-1]
    assert without_time(first) == "[🦙 LlamaLog] NOW [error    ] broken [llamalog.consumer]"
    assert len(rest) > 3
    assert [line for line in rest if not line.startswith("    │ ")] == []
    assert not STEERING.search("".join(rest))


@pytest.mark.parametrize("form", ["human", "json"])
def test_no_secret_is_written(written: Written, form: Any) -> None:
    configure_logs(form, "debug")
    url = f"postgresql://llamalog:{SECRET}@db:5432/llamalog"
    log().info(
        f"connecting to {url}", database_url=url, urls=[url], by_name={"one": url, "api_token": SECRET}
    )
    log().info("called", authorization=SECRET, password=SECRET, headers={"Cookie": f"x={SECRET}"})
    logging.getLogger("library").warning("refused: Bearer %s", "c2VjcmV0Cg==")
    try:
        raise ValueError(f"no such database: {url}")
    except ValueError:
        log().exception("broken", error=ValueError(url))
    text = written()
    assert SECRET not in text
    assert "c2VjcmV0Cg" not in text
    assert "postgresql://llamalog:***@db:5432/llamalog" in text
