"""The JSON Schema of every message, self-contained, one document a type and version."""

import inspect
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_args

import msgspec

from llamalog_schemas import BackfillEvent, CloudEvent, Command, Event, LegacyRow, ProvenanceRecorded
from llamalog_schemas.upcast import UPCASTERS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MODELS: Final[tuple[type[CloudEvent], ...]] = (
    *get_args(Event),
    *get_args(Command),
    *get_args(BackfillEvent),
    ProvenanceRecorded,
    *UPCASTERS.old,
)
"""Every published message, in the order in which people read them."""

GROWING: Final = frozenset({ProvenanceRecorded, *get_args(BackfillEvent)})
"""Messages of the service alone: they may gain optional fields, readers ignore unknown ones."""

_ATTRIBUTES = "Any CloudEvents extension attribute is allowed beside the attributes below."
_BEYOND = (
    "Rules beyond the schema: the value is UTF-8 of at most 256 KiB, `time` lies in the years 1970 to "
    "2099, no string that is read holds NUL, integers are written without fraction or exponent and fit 64 "
    "bits, objects nest 64 levels deep at most, no job is its own parent. See docs/contract.md."
)

_BEYOND_OF_LEGACY_ROWS = (
    "Rules beyond the schema: the value is UTF-8 of at most 960 KiB, `id` is the id of the row, a UUID "
    "with dashes, `time` lies in the years 1970 to 2099, no string that is read holds NUL. "
    "See docs/contract.md."
)

Schema = dict[str, Any]


class MessageType(NamedTuple):
    """The parts of a CloudEvents ``type`` such as ``llamalog.entity-created.v1``."""

    name: str
    version: str

    @property
    def file(self) -> str:
        """The name of its schema's file."""
        return f"{self.name}.{self.version}.json"

    @property
    def schema_id(self) -> str:
        """The ``$id`` of its schema: a name, nothing that could be fetched."""
        return f"urn:llamalog:schema:{self.name}:{self.version}"


def message_type(model: type[CloudEvent]) -> MessageType:
    """The type of a model, from its tag."""
    _, name, version = str(model.__struct_config__.tag).split(".")
    return MessageType(name, version)


def schema_of(model: type[CloudEvent]) -> Schema:
    """The JSON Schema (draft 2020-12) of one message in structured mode."""
    _, components = msgspec.json.schema_components([model], ref_template="#/$defs/{name}")
    root = components.pop(model.__name__)
    beyond = _BEYOND_OF_LEGACY_ROWS if model is LegacyRow else _BEYOND
    comment = f"{_ATTRIBUTES} {beyond}" if model in get_args(Event) else _ATTRIBUTES
    head = {"$schema": DIALECT, "$id": message_type(model).schema_id, "$comment": comment}
    definitions = {name: _readable(components[name]) for name in sorted(components)}
    return head | _readable(root) | {"$defs": definitions}


def _readable(schema: Mapping[str, Any]) -> Schema:
    """The schema as people write it: plain descriptions, ``const`` for one value, no ``default: null``."""
    written: Schema = {}
    for key, value in schema.items():
        if key == "description":
            written[key] = " ".join(inspect.cleandoc(value).replace("``", "`").split())
        elif key == "enum" and len(value) == 1:
            written["const"] = value[0]
        elif key == "default" and value is None:
            continue
        elif key == "properties":
            written[key] = {name: _readable(field) for name, field in value.items()}
        elif key == "items":
            written[key] = _readable(value)
        elif key == "anyOf":
            written |= _nullable(value)
        else:
            written[key] = value
    return written


def _nullable(choices: list[Schema]) -> Schema:
    """Write ``type: [string, null]`` where a choice allows it; its description belongs to the whole."""
    value, *others = (_readable(choice) for choice in choices)
    if others == [{"type": "null"}] and isinstance(value.get("type"), str) and "enum" not in value:
        return value | {"type": [value["type"], "null"]}
    return {"anyOf": [value, *others]}
