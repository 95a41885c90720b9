"""The AsyncAPI document and the JSON Schemas, put into the template."""

import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from llamalog_tools.contract_page.shapes import Field, Table, tables

Node = dict[str, Any]

EXAMPLES: Final = Path(__file__).resolve().parents[4] / "tests/contract/golden"
"""The golden payloads: messages whose meaning is tested."""


class Message(NamedTuple):
    """A message as the page shows it."""

    anchor: str
    name: str
    title: str
    summary: str
    headers: list[Field]
    tables: list[Table]
    schema: str | None
    example: str | None


def page(contract: Path) -> str:
    """The page.

    Args:
        contract: the folder of ``asyncapi.yaml`` and ``json/``.
    """
    document = yaml.safe_load((contract / "asyncapi.yaml").read_text(encoding="utf-8"))
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["prose"] = prose
    described = document["components"]["messages"]
    messages = {anchor: _message(anchor, node, contract) for anchor, node in described.items()}
    return templates.get_template("page.html.jinja").render(
        document=document,
        prefix=document["components"]["parameters"]["prefix"]["default"],
        channels={name: _channel(name, document, messages) for name in document["channels"]},
        messages=messages.values(),
    )


def _channel(name: str, document: Node, messages: dict[str, Message]) -> Node:
    node: Node = document["channels"][name]
    operations = [
        operation | {"messages": [messages[_last_step(each)] for each in operation["messages"]]}
        for operation in document["operations"].values()
        if operation["channel"]["$ref"] == f"#/channels/{name}"
    ]
    return node | {"operations": operations, "messages": [messages[anchor] for anchor in node["messages"]]}


def _last_step(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _message(anchor: str, node: Node, contract: Path) -> Message:
    headers = node.get("headers", {})
    required = set(headers.get("required", ()))
    schema = None
    if "payload" in node:
        schema = json.loads((contract / node["payload"]["schema"]["$ref"]).read_text(encoding="utf-8"))
    return Message(
        anchor,
        node["name"],
        node["title"],
        node["summary"],
        [
            Field(name, name in required, "text", each.get("description", ""), ())
            for name, each in headers.get("properties", {}).items()
        ],
        [] if schema is None else tables(schema),
        None if schema is None else json.dumps(schema, indent=2, ensure_ascii=False),
        _example(node["name"]),
    )


def _example(name: str) -> str | None:
    """The golden payload of the message with all fields."""
    _, _, path = name.partition(".")
    file = EXAMPLES / path.replace(".", "/") / "full.json"
    if not file.is_file():
        return None
    return json.dumps(json.loads(file.read_text(encoding="utf-8")), indent=2, ensure_ascii=False)


def prose(text: str) -> Markup:
    """Paragraphs, with `code` in backticks."""
    paragraphs = [
        re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(paragraph))) for paragraph in text.split("\n\n")
    ]
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs if paragraph))  # noqa: S704 - escaped
