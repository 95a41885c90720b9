"""The rules of compatibility for changes of a JSON Schema.

Backward: an old message is refused now; old messages stay in the topics for ever.
Forward: a new message is refused, or misunderstood, by an old reader.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple

Schema = dict[str, Any]


class Way(StrEnum):
    """The direction in which a change breaks."""

    BACKWARD = "backward"
    FORWARD = "forward"


class Break(NamedTuple):
    """An incompatible change; `rule` is a row of the table in docs/evolution.md."""

    way: Way
    rule: str
    path: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence} ({self.way}: {self.rule})"


_ANNOTATIONS: Final = frozenset({"title", "description", "examples", "$comment", "$defs"})
_UPPER: Final = ("maxLength", "maxItems", "maxProperties", "maximum")
_LOWER: Final = ("minLength", "minItems", "minProperties", "minimum")
_DEMANDS: Final = ("format", "pattern")
_RULED: Final = frozenset(
    {"type", "enum", "const", "required", "properties", "additionalProperties", "items", "anyOf", "$ref"}
    | {*_UPPER, *_LOWER, *_DEMANDS}
)
_EVERY_TYPE: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


def breaks(then: Schema, now: Schema, *, may_grow: bool) -> list[Break]:
    """The breaks of the change from one schema to another.

    Args:
        then: the published one. Both are whole documents, whose references lead to their own ``$defs``.
        now: the current one.
        may_grow: the service alone writes such messages, and their readers ignore unknown fields: an
            optional field may be added. In messages of others the new field may have been an
            attribute of theirs, of another kind: only one that accepts any value may be added.
    """
    return list(_Comparison(then, now, may_grow).schemas(then, now, "$"))


class _Comparison:
    """Walks both documents at once."""

    def __init__(self, then: Schema, now: Schema, may_grow: bool) -> None:
        self._then, self._now = then.get("$defs", {}), now.get("$defs", {})
        self._may_grow = may_grow
        self._seen: set[tuple[str, str]] = set()

    def schemas(self, then: Schema, now: Schema, path: str) -> Iterator[Break]:
        """Every break between two schemas."""
        names = (then.get("$ref", ""), now.get("$ref", ""))
        if names in self._seen:
            return
        if all(names):
            self._seen.add(names)
        then, now = _resolved(then, self._then), _resolved(now, self._now)
        yield from _values(then, now, path)
        for keyword in _UPPER:
            yield from _bound(keyword, then, now, path, tighter=-1)
        for keyword in _LOWER:
            yield from _bound(keyword, then, now, path, tighter=1)
        for keyword in _DEMANDS:
            yield from _demand(keyword, then, now, path)
        yield from self._fields(then, now, path)
        yield from self._items(then, now, path)
        yield from self._choices(then, now, path)
        for keyword in sorted((then.keys() | now.keys()) - _ANNOTATIONS - _RULED):
            if then.get(keyword) != now.get(keyword):
                change = f"`{keyword}` was {then.get(keyword)!r} and is {now.get(keyword)!r}"
                yield from _both("another-word", path, change)

    def _fields(self, then: Schema, now: Schema, path: str) -> Iterator[Break]:
        before, after = then.get("properties", {}), now.get("properties", {})
        required, demanded = set(then.get("required", ())), set(now.get("required", ()))
        for name in sorted(demanded - required):
            yield Break(Way.BACKWARD, "field-demanded", path, f"`{name}` was optional and is required")
        for name in sorted(required - demanded):
            yield Break(Way.FORWARD, "field-not-promised", path, f"`{name}` was required and may be missing")
        for name in sorted(before.keys() - after.keys()):
            yield Break(Way.FORWARD, "field-gone", path, f"`{name}` is gone")
            if _is_closed(now):
                yield Break(Way.BACKWARD, "field-gone", path, f"`{name}` was accepted and is refused")
        for name in sorted(after.keys() - before.keys()):
            if _is_closed(then):
                yield Break(Way.FORWARD, "field-new", path, f"`{name}` is new; old readers refuse it")
            elif not self._may_grow and after[name].keys() - _ANNOTATIONS:
                change = f"`{name}` is new; a producer's own attribute of that name was free"
                yield Break(Way.BACKWARD, "field-new", path, change)
        yield from self._others(then.get("additionalProperties"), now.get("additionalProperties"), path)
        for name in sorted(before.keys() & after.keys()):
            yield from self.schemas(before[name], after[name], f"{path}.{name}")

    def _others(self, then: Any, now: Any, path: str) -> Iterator[Break]:
        """The fields that have no name."""
        if then == now:
            return
        if isinstance(then, dict) and isinstance(now, dict):
            yield from self.schemas(then, now, f"{path}.*")
        elif now is False:
            yield Break(Way.BACKWARD, "object-closed", path, "unknown fields passed and are refused")
        elif then is False:
            yield Break(Way.FORWARD, "object-opened", path, "unknown fields were refused and pass")
        elif isinstance(now, dict):
            yield Break(Way.BACKWARD, "object-closed", path, "unknown fields were free and are described")
        else:
            yield Break(Way.FORWARD, "object-opened", path, "unknown fields were described and are free")

    def _items(self, then: Schema, now: Schema, path: str) -> Iterator[Break]:
        if "items" in then and "items" in now:
            yield from self.schemas(then["items"], now["items"], f"{path}[]")
        elif "items" in now:
            yield Break(Way.BACKWARD, "items-described", path, "the items of the list were free")
        elif "items" in then:
            yield Break(Way.FORWARD, "items-free", path, "the items of the list are free now")

    def _choices(self, then: Schema, now: Schema, path: str) -> Iterator[Break]:
        before, after = then.get("anyOf"), now.get("anyOf")
        if before is None and after is None:
            return
        if before is not None and after is not None and len(before) == len(after):
            for number, (one, other) in enumerate(zip(before, after, strict=True), 1):
                yield from self.schemas(one, other, f"{path}|{number}")
            return
        fewer = before is None or (after is not None and len(after) < len(before))
        sentence = f"choices were {_shown(before and len(before))} and are {_shown(after and len(after))}"
        yield Break(Way.BACKWARD if fewer else Way.FORWARD, "choices", path, sentence)


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """The schema with what its reference leads to; names of definitions mean nothing themselves."""
    if "$ref" not in schema:
        return schema
    own = {key: value for key, value in schema.items() if key != "$ref"}
    return _resolved(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions) | own


def _is_closed(schema: Schema) -> bool:
    return schema.get("additionalProperties") is False


def _values(then: Schema, now: Schema, path: str) -> Iterator[Break]:
    """Types and closed lists."""
    before, after = _types(then), _types(now)
    if before - after:
        yield Break(Way.BACKWARD, "type-narrowed", path, f"{_listed(before - after)} was allowed")
    if after - before:
        yield Break(Way.FORWARD, "type-widened", path, f"{_listed(after - before)} is allowed now")
    listed, lists = _listed_values(then), _listed_values(now)
    if listed is not None and lists is not None:
        if gone := [value for value in listed if value not in lists]:
            yield Break(Way.BACKWARD, "value-gone", path, f"{_listed(gone)} is no value any more")
        if new := [value for value in lists if value not in listed]:
            yield Break(Way.FORWARD, "value-new", path, f"{_listed(new)} is a new value")
    elif lists is not None:
        yield Break(Way.BACKWARD, "list-closed", path, "any value was allowed, a list of them is now")
    elif listed is not None:
        yield Break(Way.FORWARD, "list-opened", path, "a list of values was allowed, any is now")


def _types(schema: Schema) -> frozenset[str]:
    kind, listed = schema.get("type"), _listed_values(schema)
    if kind is None:
        return _EVERY_TYPE if listed is None else frozenset(map(_type_of, listed))
    types = frozenset({kind} if isinstance(kind, str) else kind)
    return types | {"integer"} if "number" in types else types


def _type_of(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _listed_values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _bound(keyword: str, then: Schema, now: Schema, path: str, *, tighter: int) -> Iterator[Break]:
    before, after = then.get(keyword), now.get(keyword)
    if before == after:
        return
    sentence = f"`{keyword}` was {_shown(before)} and is {_shown(after)}"
    if before is None or (after is not None and (after - before) * tighter > 0):
        yield Break(Way.BACKWARD, "bound-tightened", path, sentence)
    else:
        yield Break(Way.FORWARD, "bound-loosened", path, sentence)


def _demand(keyword: str, then: Schema, now: Schema, path: str) -> Iterator[Break]:
    before, after = then.get(keyword), now.get(keyword)
    if before == after:
        return
    sentence = f"`{keyword}` was {_shown(before)} and is {_shown(after)}"
    if after is not None:
        yield Break(Way.BACKWARD, "form-demanded", path, sentence)
    if before is not None:
        yield Break(Way.FORWARD, "form-not-promised", path, sentence)


def _both(rule: str, path: str, sentence: str) -> Iterator[Break]:
    yield Break(Way.BACKWARD, rule, path, sentence)
    yield Break(Way.FORWARD, rule, path, sentence)


def _shown(bound: object) -> str:
    return "absent" if bound is None else repr(bound)


def _listed(values: Any) -> str:
    return ", ".join(sorted(map(str, values)))
