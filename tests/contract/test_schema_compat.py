"""The compatibility check by rule: each finds its break, as a message shows; and it holds a release."""

import copy
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from llamalog_tools.schema_compat.check import COPIES, FOLDER, baselines, compare_with_published
from llamalog_tools.schema_compat.rules import Schema, Way, breaks

CHECKOUT = Path(__file__).resolve().parents[2]
WIDE: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Thing",
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 9, "minLength": 2}, "of": {"$ref": "#/$defs/Of"}},
    "required": ["name"],
    "$defs": {
        "Of": {
            "type": "object",
            "properties": {
                "kind": {"enum": ["A", "B"]},
                "count": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
                "size": {"type": "number"},
                "day": {"type": "string"},
                "words": {"type": "array", "items": {"type": ["string", "integer"]}, "maxItems": 3},
                "either": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
                "free": {},
                "list": {"type": "array"},
                "tallies": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}},
                "inner": {"anyOf": [{"$ref": "#/$defs/Of"}, {"type": "null"}]},
            },
            "additionalProperties": False,
        }
    },
}


NULL: Schema = {"type": "null"}


class Case(NamedTuple):
    """A change that narrows a schema: its break, the break of its reversal, and a witness of both.

    `witness` stands in the field `of`; the wide schema accepts it, the narrow one does not.
    """

    there: str
    back: str
    narrow: Callable[[Schema, Schema], object]
    """Given the document, and the fields of `of`."""
    witness: dict[str, Any]


CASES = [
    Case("type-narrowed", "type-widened", lambda _, of: of["count"].update(type="integer"), {"count": None}),
    Case("type-narrowed", "type-widened", lambda _, of: of["size"].update(type="integer"), {"size": 1.5}),
    Case("type-narrowed", "type-widened", lambda _, of: of["free"].update(type="string"), {"free": 1}),
    Case(
        "type-narrowed",
        "type-widened",
        lambda _, of: of["words"].update(items={"type": "string"}),
        {"words": [1]},
    ),
    Case(
        "type-narrowed",
        "type-widened",
        lambda _, of: of["tallies"].update(additionalProperties={"type": "integer"}),
        {"tallies": {"a": "b"}},
    ),
    Case("value-gone", "value-new", lambda _, of: of["kind"]["enum"].remove("B"), {"kind": "B"}),
    Case("value-gone", "value-new", lambda _, of: of.update(kind={"const": "A"}), {"kind": "B"}),
    Case("list-closed", "list-opened", lambda _, of: of["day"].update(enum=["mon"]), {"day": "tue"}),
    Case("bound-tightened", "bound-loosened", lambda _, of: of["day"].update(maxLength=3), {"day": "monday"}),
    Case("bound-tightened", "bound-loosened", lambda _, of: of["day"].update(minLength=1), {"day": ""}),
    Case("bound-tightened", "bound-loosened", lambda _, of: of["count"].update(minimum=2), {"count": 1}),
    Case("bound-tightened", "bound-loosened", lambda _, of: of["count"].update(maximum=8), {"count": 9}),
    Case(
        "bound-tightened",
        "bound-loosened",
        lambda _, of: of["words"].update(maxItems=2),
        {"words": ["a"] * 3},
    ),
    Case("bound-tightened", "bound-loosened", lambda _, of: of["words"].update(minItems=1), {"words": []}),
    Case(
        "bound-tightened",
        "bound-loosened",
        lambda _, of: of["either"]["anyOf"][0].update(maxLength=2),
        {"either": "abc"},
    ),
    Case("form-demanded", "form-not-promised", lambda _, of: of["day"].update(pattern="m"), {"day": "tue"}),
    Case(
        "items-described",
        "items-free",
        lambda _, of: of["list"].update(items={"type": "null"}),
        {"list": [1]},
    ),
    Case("choices", "choices", lambda _, of: of["either"]["anyOf"].pop(), {"either": None}),
    Case("choices", "choices", lambda _, of: of["free"].update(anyOf=[{"type": "null"}]), {"free": 1}),
    Case("field-demanded", "field-not-promised", lambda s, _: s["$defs"]["Of"].update(required=["day"]), {}),
    Case(
        "object-closed",
        "object-opened",
        lambda _, of: of["tallies"].update(additionalProperties=False),
        {"tallies": {"a": 1}},
    ),
]


def narrowed(case: Case) -> Schema:
    schema = copy.deepcopy(WIDE)
    case.narrow(schema, schema["$defs"]["Of"]["properties"])
    return schema


def found(then: Schema, now: Schema, *, may_grow: bool = False) -> set[tuple[Way, str]]:
    return {(each.way, each.rule) for each in breaks(then, now, may_grow=may_grow)}


def accepts(schema: Schema, of: dict[str, Any]) -> bool:
    return bool(Draft202012Validator(schema).is_valid({"name": "abc", "of": of}))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.there}-{list(case.witness)}")
def test_a_narrower_schema_breaks_old_messages_and_a_wider_one_old_readers(case: Case) -> None:
    narrow = narrowed(case)
    assert accepts(WIDE, case.witness)
    assert not accepts(narrow, case.witness)
    assert found(WIDE, narrow, may_grow=True) == {(Way.BACKWARD, case.there)}
    assert found(narrow, WIDE, may_grow=True) == {(Way.FORWARD, case.back)}


def with_field(schema: Schema, name: str, *, within: bool) -> Schema:
    grown = copy.deepcopy(schema)
    where = grown["$defs"]["Of"] if within else grown
    where["properties"][name] = {"type": "string"}
    return grown


def test_a_new_field_breaks_readers_that_refuse_what_they_do_not_know() -> None:
    grown = with_field(WIDE, "new", within=True)
    assert accepts(grown, {"new": "x"})
    assert not accepts(WIDE, {"new": "x"})
    assert found(WIDE, grown, may_grow=True) == {(Way.FORWARD, "field-new")}


def test_a_new_field_where_unknown_ones_are_let_through_may_have_been_an_attribute_of_a_producer() -> None:
    grown = with_field(WIDE, "new", within=False)
    theirs = {"name": "abc", "new": 7}
    assert Draft202012Validator(WIDE).is_valid(theirs)
    assert not Draft202012Validator(grown).is_valid(theirs)
    assert found(WIDE, grown, may_grow=False) == {(Way.BACKWARD, "field-new")}
    assert found(WIDE, grown, may_grow=True) == set()


def test_a_new_field_that_accepts_any_value_refuses_no_attribute_of_a_producer() -> None:
    grown = copy.deepcopy(WIDE)
    grown["properties"]["new"] = {"description": "Read if it has the right form.", "examples": ["x"]}
    for theirs in (7, None, {"of": "theirs"}):
        assert Draft202012Validator(grown).is_valid({"name": "abc", "new": theirs})
    assert found(WIDE, grown, may_grow=False) == set()


def test_a_field_that_is_gone_is_missed_by_readers_and_refused_if_nothing_unknown_is_let_through() -> None:
    for within, lost in ((False, {Way.FORWARD}), (True, {Way.FORWARD, Way.BACKWARD})):
        grown = with_field(WIDE, "new", within=within)
        assert found(grown, WIDE, may_grow=True) == {(way, "field-gone") for way in lost}


def test_a_word_that_no_rule_knows_is_a_break_both_ways() -> None:
    other = copy.deepcopy(WIDE)
    other["properties"]["name"]["contentEncoding"] = "base64"
    assert found(WIDE, other) == {(Way.BACKWARD, "another-word"), (Way.FORWARD, "another-word")}
    assert found(WIDE, WIDE | {"$id": "urn:other"}) == found(WIDE, other)


def test_words_for_people_and_names_of_definitions_mean_nothing() -> None:
    renamed = json.loads(json.dumps(WIDE).replace("#/$defs/Of", "#/$defs/Renamed"))
    renamed["$defs"]["Renamed"] = renamed["$defs"].pop("Of")
    renamed |= {"title": "Thing!", "description": "reworded", "examples": [], "$comment": "?"}
    assert found(WIDE, renamed) == set()


def test_a_break_names_its_place_and_the_old_value() -> None:
    narrow = narrowed(CASES[0])
    (only,) = breaks(WIDE, narrow, may_grow=False)
    assert str(only) == "$.of.count: null was allowed (backward: type-narrowed)"


def git(checkout: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "-C", str(checkout), *arguments], check=True, capture_output=True)


def write(folder: Path, name: str, schema: Schema) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(schema))


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A repository with two releases, and a commit since."""
    checkout = tmp_path / "checkout"
    write(checkout / FOLDER, "thing.v1.json", narrowed(CASES[0]))
    git(tmp_path, "init", "-q", str(checkout))
    for tag in ("v0.1.0", "v0.2.0"):
        git(checkout, "add", "-A")
        git(checkout, "commit", "-q", "-m", tag)
        git(checkout, "tag", tag)
        write(checkout / FOLDER, "thing.v1.json", WIDE)
        write(checkout / FOLDER, "other.v1.json", WIDE)
    git(checkout, "commit", "-q", "--allow-empty", "-m", "since")
    return checkout


def test_the_last_tag_is_what_schemas_are_held_against(released: Path) -> None:
    compared, lines = compare_with_published(released)
    assert compared == [f"the copies in {COPIES}/", "the tag v0.2.0"]
    assert lines == []
    write(released / FOLDER, "new.v1.json", WIDE)
    write(released / FOLDER, "thing.v1.json", narrowed(CASES[0]))
    _, lines = compare_with_published(released)
    assert lines == [
        "thing.v1.json, against the tag v0.2.0: $.of.count: null was allowed (backward: type-narrowed)"
    ]


def test_a_schema_that_is_gone_is_missed(released: Path) -> None:
    (released / FOLDER / "other.v1.json").unlink()
    _, (line,) = compare_with_published(released)
    assert line.startswith("other.v1.json is gone, and is in the tag v0.2.0")


def test_what_may_grow_may_gain_a_field_since_the_tag_and_the_others_not(released: Path) -> None:
    write(released / FOLDER, "other.v1.json", with_field(WIDE, "new", within=False))
    assert compare_with_published(released, may_grow={"other.v1.json"})[1] == []
    assert "field-new" in compare_with_published(released, may_grow=())[1][0]


@pytest.mark.parametrize("depth", [None, 1])
def test_without_a_tag_the_copies_are_what_schemas_are_held_against(
    released: Path, tmp_path: Path, depth: int | None
) -> None:
    clone = tmp_path / "clone"
    if depth is None:  # no clone at all: an archive of the sources
        write(clone / FOLDER, "thing.v1.json", WIDE)
    else:
        git(tmp_path, "clone", "-q", "--no-tags", f"--depth={depth}", released.as_uri(), str(clone))
    write(clone / COPIES, "thing.v1.json", narrowed(CASES[0]))
    assert [baseline.name for baseline in baselines(clone)] == [f"the copies in {COPIES}/"]
    _, lines = compare_with_published(clone)
    assert lines == [
        f"thing.v1.json, against the copies in {COPIES}/: $.of.count: null is allowed now "
        "(forward: type-widened)"
    ]


def test_the_document_states_every_rule() -> None:
    source = (CHECKOUT / "tools/src/llamalog_tools/schema_compat/rules.py").read_text()
    enforced = set(re.findall(r'(?:Way\.\w+|_both\(|Way\.FORWARD),? ?"([a-z-]+)"', source)) | {"another-word"}
    enforced |= {name for case in CASES for name in (case.there, case.back)}
    document = (CHECKOUT / "docs/evolution.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)`", document, re.MULTILINE)) == enforced
