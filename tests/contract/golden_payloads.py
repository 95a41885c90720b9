"""The golden payloads: messages as producers wrote them, with their meaning, stated without the codec."""

import json
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "golden"


class Golden(NamedTuple):
    """A message in one of the two modes, and what decoding it must yield."""

    name: str
    event: str
    version: str
    value: bytes
    headers: list[tuple[str, bytes | None]]
    expected: dict[str, Any]

    @property
    def structured(self) -> dict[str, Any]:
        """The message as one JSON object; of a binary one put together here, by hand."""
        content = json.loads(self.value)
        if not self.headers:
            return dict(content)
        attributes = {
            name.removeprefix("ce_"): (text or b"").decode()
            for name, text in self.headers
            if name.startswith("ce_")
        }
        return attributes | {"data": content}


def load_all() -> list[Golden]:
    """Every golden payload, by path."""
    paths = sorted(path for path in FOLDER.glob("*/*/*.json") if not path.name.endswith(".expected.json"))
    return [_load(path) for path in paths]


def load(path: str) -> Golden:
    """One golden payload, such as ``entity-created/v1/full``."""
    return _load(FOLDER / f"{path}.json")


def _load(path: Path) -> Golden:
    stem = path.name.removesuffix(".json").removesuffix(".binary")
    expected = json.loads((path.parent / f"{stem}.expected.json").read_text(encoding="utf-8"))
    value, headers = path.read_bytes(), []
    if path.name.endswith(".binary.json"):
        message = json.loads(value)
        value = message["value"].encode()
        headers = [(name, None if text is None else text.encode()) for name, text in message["headers"]]
    version, event = path.parent.name, path.parent.parent.name
    name = f"{event}/{version}/{path.name.removesuffix('.json')}"
    return Golden(name, event, version, value, headers, expected)
