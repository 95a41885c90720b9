"""`make docs`: the contract as one page, complete, its links leading somewhere, nothing fetched."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from llamalog_tools.contract_export.files import SCHEMAS
from llamalog_tools.contract_page.page import page, prose
from llamalog_tools.contract_page.shapes import in_words

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENT: dict[str, Any] = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))


class Reader(HTMLParser):
    """Texts and links of the page; fails on elements that are not closed."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.resources: list[str] = []
        self.elements: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            elif name == "href" and tag == "a":
                self.links.append(str(value))
            elif name in ("href", "src", "srcset", "action", "poster", "data"):
                self.resources.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def html() -> str:
    return page(SCHEMAS)


@pytest.fixture(scope="module")
def reader(html: str) -> Reader:
    return Reader(html)


def test_nothing_is_fetched_from_anywhere(html: str, reader: Reader) -> None:
    assert reader.resources == ["data:,"]
    assert reader.elements.isdisjoint({"script", "img", "iframe", "object", "embed", "video", "base"})
    assert "url(" not in html
    assert "@import" not in html


def test_every_link_leads_to_one_place_of_the_page(reader: Reader) -> None:
    assert len(set(reader.ids)) == len(reader.ids)
    assert {link.removeprefix("#") for link in reader.links} <= set(reader.ids)
    assert all(link.startswith("#") for link in reader.links)


def test_every_topic_operation_and_message_is_shown(reader: Reader) -> None:
    prefix = DOCUMENT["components"]["parameters"]["prefix"]["default"]
    expected = [channel["address"].format(prefix=prefix) for channel in DOCUMENT["channels"].values()]
    expected += [operation["summary"] for operation in DOCUMENT["operations"].values()]
    for message in DOCUMENT["components"]["messages"].values():
        expected += [message["title"], message["name"], *message["headers"]["properties"]]
    assert [each for each in expected if each not in reader.text] == []
    assert {f"channel.{name}" for name in DOCUMENT["channels"]} <= set(reader.ids)
    assert set(DOCUMENT["components"]["messages"]) <= set(reader.ids)


def test_every_field_of_every_object_is_shown_with_its_own(reader: Reader) -> None:
    for anchor, message in DOCUMENT["components"]["messages"].items():
        if "payload" not in message:
            continue
        schema = json.loads((SCHEMAS / message["payload"]["schema"]["$ref"]).read_text())
        objects = {name: each for name, each in schema["$defs"].items() if "properties" in each}
        assert {f"{anchor}.{name}" for name in objects} <= set(reader.ids)
        fields = {*schema["properties"], *(name for each in objects.values() for name in each["properties"])}
        assert fields <= set(reader.words)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 100}, "text; 1 to 100 characters"),
        ({"type": ["string", "null"], "format": "uuid"}, "UUID, or null"),
        ({"type": ["integer", "null"], "minimum": 0}, "integer; at least 0, or null"),
        ({"type": "integer", "maximum": 2**31}, "integer; at most 2,147,483,648"),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 5}, "list of null; at most 5 items"),
        ({"anyOf": [{"$ref": "#/$defs/Word"}, {"type": "null"}]}, "one of A, B, or null"),
        ({"anyOf": [{"$ref": "#/$defs/Thing"}, {"type": "null"}]}, "Thing, or null"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "JSON object of integer"),
        ({"const": "1.0"}, "“1.0”"),
        ({}, "any JSON"),
        ({"type": "null"}, "null"),
    ],
)
def test_the_values_of_a_field_are_described_in_words(schema: dict[str, Any], words: str) -> None:
    assert in_words(schema, {"Word": {"enum": ["A", "B"]}, "Thing": {"properties": {}}}) == words


def test_words_of_the_contract_are_no_markup() -> None:
    assert str(prose("a <b> & `<c>`\n\nd")) == "<p>a &lt;b&gt; &amp; <code>&lt;c&gt;</code></p><p>d</p>"


def test_make_docs_writes_the_page(tmp_path: Path, html: str) -> None:
    target = tmp_path / "deep/contract.html"
    subprocess.run(
        [sys.executable, "-m", "llamalog_tools.contract_page", str(target)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert target.read_text(encoding="utf-8") == html
    assert "-m llamalog_tools.contract_page build/contract.html" in (CHECKOUT / "Makefile").read_text()
