"""What was published stays: the files follow from the models, and no version changes its meaning."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from contract.golden_payloads import load
from llamalog_schemas import ProvenanceRecorded
from llamalog_tools.contract_export.files import SCHEMAS, committed_files, contract_files
from llamalog_tools.contract_export.json_schemas import DIALECT, MODELS, message_type, schema_of
from llamalog_tools.schema_compat.check import MAY_GROW, compare_with_published, schemas_in
from llamalog_tools.schema_compat.rules import breaks

PUBLISHED = schemas_in(Path(__file__).parent / "published")
PROVENANCE = message_type(ProvenanceRecorded).file


def current(file: str) -> dict[str, Any]:
    return dict(json.loads((SCHEMAS / "json" / file).read_text(encoding="utf-8")))


def test_the_committed_contract_follows_from_the_models() -> None:
    drifted = [
        str(path)
        for path, text in contract_files().items()
        if not (SCHEMAS / path).exists() or (SCHEMAS / path).read_text(encoding="utf-8") != text
    ]
    assert not drifted, f"{drifted} differ from the models: run `make contract` and commit what it writes"


def test_no_schema_is_left_of_a_model_that_is_gone() -> None:
    assert committed_files() == set(contract_files())


def test_every_schema_has_a_copy_of_what_was_published() -> None:
    published, files = set(PUBLISHED), {message_type(model).file for model in MODELS}
    assert files <= published, (
        f"{files - published} has no copy: once its form is final, copy it from schemas/json/ to "
        "tests/contract/published/. From then on it can't change."
    )
    assert published <= files, (
        f"{published - files} is published: messages of this type lie in the topics for ever, keep its model"
    )


def test_no_published_schema_has_changed_its_meaning() -> None:
    compared, changes = compare_with_published()
    assert compared
    assert not changes, "\n".join(
        [
            *changes,
            "Messages written by the old rule lie in the topics for ever. Leave this version as it was; make "
            "the next one a type of its own, with a step to it: docs/evolution.md.",
        ]
    )


@pytest.mark.parametrize("file", sorted(MAY_GROW))
def test_what_may_grow_lets_readers_ignore_new_fields(file: str) -> None:
    assert "additionalProperties" not in json.dumps(current(file))


def test_improving_the_words_of_a_schema_is_no_edit() -> None:
    schema = current("entity-created.v1.json")
    reworded = copy.deepcopy(schema)
    reworded["description"] = "reworded"
    reworded["$defs"]["EntityData"]["properties"]["operation"]["description"] = "reworded"
    assert breaks(schema, reworded, may_grow=False) == []


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "bound": lambda schema: fields(schema)["operation"].update(maxLength=99),
    "no bound": lambda schema: fields(schema)["sources"]["items"].pop("maxLength"),
    "new field": lambda schema: fields(schema).update(description={"type": "string"}),
    "new attribute": lambda schema: schema["properties"].update(traceparent={"type": "string"}),
    "required": lambda schema: schema["$defs"]["EntityData"]["required"].append("jobId"),
    "status": lambda schema: schema["$defs"]["Status"]["enum"].append("UNKNOWN"),
    "default": lambda schema: fields(schema)["sources"].update(default=["SPOTIFY"]),
    "version": lambda schema: schema["properties"].update(specversion={"const": "1.1"}),
}


def fields(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"]["EntityData"]["properties"]
    return found


@pytest.mark.parametrize("edit", EDITS)
def test_an_event_that_others_write_can_change_in_nothing(edit: str) -> None:
    schema = current("entity-created.v1.json")
    edited = copy.deepcopy(schema)
    EDITS[edit](edited)
    assert breaks(schema, edited, may_grow=False)
    assert breaks(edited, schema, may_grow=False)


def test_messages_of_the_service_may_gain_an_optional_field_and_nothing_else() -> None:
    published = current(PROVENANCE)
    grown = copy.deepcopy(published)
    grown["$defs"]["Provenance"]["properties"]["description"] = {"type": ["string", "null"]}
    assert breaks(published, grown, may_grow=True) == []
    (gone,) = breaks(grown, published, may_grow=True)
    assert gone.rule == "field-gone"

    grown["$defs"]["Provenance"]["required"].append("description")
    grown["$defs"]["Origin"]["enum"].append("GUESSED")
    grown["$defs"]["Provenance"]["additionalProperties"] = False
    rules = {found.rule for found in breaks(published, grown, may_grow=True)}
    assert rules == {"field-demanded", "value-new", "object-closed"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_schema_is_self_contained_and_has_a_name_not_an_address(model: Any) -> None:
    schema = schema_of(model)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert schema["$id"].startswith("urn:llamalog:schema:")
    references = [word for word in json.dumps(schema).split('"') if word.startswith(("#/", "urn:", "http"))]
    inside = {f"#/$defs/{name}" for name in schema["$defs"]}
    assert set(references) == {DIALECT, schema["$id"]} | inside


BAD = {
    "no operation": lambda data: data.pop("operation"),
    "unknown field": lambda data: data.update(albumID="x"),
    "unknown status": lambda data: data.update(status="DONE"),
    "job id of 101 characters": lambda data: data.update(jobId="j" * 101),
    "empty job id": lambda data: data.update(jobId=""),
    "a count past int4": lambda data: data.update(durationMs=2**31),
    "metadata that is no object": lambda data: data.update(metadata=[1]),
    "fifty-one sources": lambda data: data.update(sources=["S"] * 51),
}


@pytest.mark.parametrize("bad", BAD)
def test_the_schema_refuses_what_it_can_state(bad: str) -> None:
    message = load("entity-created/v1/full").structured
    validator = Draft202012Validator(current("entity-created.v1.json"))
    assert validator.is_valid(message)
    BAD[bad](message["data"])
    assert not validator.is_valid(message)
