"""What a JSON Schema demands, apart from the words it uses to explain itself."""

import hashlib
import json
from typing import Any

Schema = dict[str, Any]

_WORDS = frozenset({"title", "description", "examples", "$comment"})
_NAMED_SCHEMAS = frozenset({"properties", "$defs"})


def meaning(schema: Schema) -> Schema:
    """The schema without titles, descriptions, examples and comments, which may be improved at any time."""
    kept: Schema = {}
    for key, value in schema.items():
        if key in _WORDS:
            continue
        if key in _NAMED_SCHEMAS:
            kept[key] = {name: meaning(inner) for name, inner in value.items()}
        elif isinstance(value, dict):
            kept[key] = meaning(value)
        elif key == "anyOf":
            kept[key] = [meaning(inner) for inner in value]
        elif key in ("required", "enum", "type") and isinstance(value, list):
            kept[key] = sorted(value)
        else:
            kept[key] = value
    return kept


def fingerprint(schema: Schema) -> str:
    """The SHA-256 of a schema's meaning, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(meaning(schema), sort_keys=True).encode()).hexdigest()


def breaking_changes(published: Schema, current: Schema) -> list[str]:
    """What a reader of the published schema could trip over; new optional fields are none.

    Both must be documents of this project: objects whose definitions are told by name in ``$defs``.
    """
    return _changes(meaning(published), meaning(current), "$")


def _changes(published: Any, current: Any, path: str) -> list[str]:
    if not (isinstance(published, dict) and isinstance(current, dict)):
        return [] if published == current else [f"{path} was {published!r} and is {current!r}"]
    gone = [f"{path}.{key} is gone" for key in published if key not in current]
    may_gain = path.rsplit(".", maxsplit=1)[-1] in _NAMED_SCHEMAS
    new = [f"{path}.{key} is new" for key in current if key not in published and not may_gain]
    kept = [key for key in published if key in current]
    return (
        gone
        + new
        + [line for key in kept for line in _changes(published[key], current[key], f"{path}.{key}")]
    )
