"""JSON Schemas in words: the values of a field, and the tables of a message's fields."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

Schema = dict[str, Any]

_FORMATS: Final = {"uuid": "UUID", "date-time": "time with a zone (RFC 3339)"}
_NAMES: Final = {"string": "text", "object": "JSON object", "boolean": "true or false", "array": "list"}
_UNITS: Final = {"Length": "character", "Items": "item"}


class Field(NamedTuple):
    """A row of a table. `leads_to` names the tables of the objects that the field holds."""

    name: str
    required: bool
    holds: str
    description: str
    leads_to: tuple[str, ...]


class Table(NamedTuple):
    """The fields of one object; `others` describes the treatment of unknown fields."""

    name: str
    description: str
    fields: list[Field]
    others: str


def tables(schema: Schema) -> list[Table]:
    """The message itself, which its summary describes, then the objects in it."""
    definitions: dict[str, Schema] = schema.get("$defs", {})
    objects = {name: each for name, each in definitions.items() if "properties" in each}
    message = _table("The message", schema, definitions, objects)._replace(description="")
    return [message, *(_table(name, each, definitions, objects) for name, each in objects.items())]


def _table(name: str, schema: Schema, definitions: dict[str, Schema], objects: dict[str, Schema]) -> Table:
    required = set(schema.get("required", ()))
    fields = [
        Field(
            field,
            field in required,
            in_words(each, definitions),
            str(each.get("description", "")),
            tuple(name for name in _references(each) if name in objects),
        )
        for field, each in schema.get("properties", {}).items()
    ]
    refused = schema.get("additionalProperties") is False
    others = "Any other field is refused." if refused else "Other fields are accepted."
    return Table(name, str(schema.get("description", "")), fields, others)


def in_words(schema: Schema, definitions: dict[str, Schema]) -> str:
    """The values of a field, such as ``text of 1 to 100 characters, or null``."""
    if "$ref" in schema:
        name = _name(schema["$ref"])
        meant = definitions[name]
        return name if "properties" in meant else in_words(meant, definitions)
    if "const" in schema:
        return f"“{schema['const']}”"
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return ", or ".join(in_words(choice, definitions) for choice in schema["anyOf"])
    kinds = schema.get("type", "any JSON")
    plain = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    words = " or ".join(_kind(kind, schema, definitions) for kind in plain) or "null"
    return f"{words}, or null" if plain and "null" in kinds else words


def _kind(kind: str, schema: Schema, definitions: dict[str, Schema]) -> str:
    name = _FORMATS.get(schema.get("format", ""), _NAMES.get(kind, kind))
    if kind == "array" and "items" in schema:
        name = f"list of {in_words(schema['items'], definitions)}"
    others = schema.get("additionalProperties")
    if kind == "object" and isinstance(others, dict):
        name = f"JSON object of {in_words(others, definitions)}"
    return "; ".join([name, *_bounds(schema)]) if kind != "null" else ""


def _bounds(schema: Schema) -> Iterator[str]:
    for suffix, unit in _UNITS.items():
        yield from _range(schema.get(f"min{suffix}"), schema.get(f"max{suffix}"), unit)
    yield from _range(schema.get("minimum"), schema.get("maximum"), "")


def _range(least: int | None, most: int | None, unit: str) -> Iterator[str]:
    units = f" {unit}s" if unit else ""
    if least is not None and most is not None:
        yield f"{least:,} to {most:,}{units}"
    elif most is not None:
        yield f"at most {most:,}{units}"
    elif least is not None:
        yield f"at least {least:,}{units}"


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield _name(value)
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _references(each)


def _name(reference: str) -> str:
    return reference.removeprefix("#/$defs/")
