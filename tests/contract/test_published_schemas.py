"""What was published stays: the files follow from the models, and no version changes its meaning."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from contract.golden_payloads import load
from contract.schema_meaning import breaking_changes, fingerprint
from contract_export.files import SCHEMAS, committed_files, contract_files
from contract_export.json_schemas import DIALECT, MODELS, message_type, schema_of
from llamalog_schemas import BackfillEnded, BackfillProgressed, ProvenanceRecorded

HERE = Path(__file__).parent
GROWING = [message_type(model).file for model in (ProvenanceRecorded, BackfillProgressed, BackfillEnded)]
"""The schemas that may gain fields within a version: their readers ignore what they don't know."""

PROVENANCE = message_type(ProvenanceRecorded).file
FIRST_PUBLISHED = HERE / "published"


def published_fingerprints() -> dict[str, str]:
    lines = (HERE / "published.sha256").read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {file: digest for digest, file in pairs}


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


@pytest.mark.parametrize("file", sorted({message_type(model).file for model in MODELS} - set(GROWING)))
def test_a_published_schema_is_never_edited(file: str) -> None:
    published = published_fingerprints().get(file)
    assert published is not None, (
        f"{file} is not in published.sha256. Add the line\n{fingerprint(current(file))}  {file}\n"
        "once its form is final: from then on it can't change."
    )
    assert fingerprint(current(file)) == published, (
        f"{file} is published and now means something else. Messages written by the old rule lie in the "
        "topic for ever. Leave this version as it was; add the next version as a type of its own, with "
        "golden payloads, and turn old events into it at the edge."
    )


def test_nothing_published_disappears() -> None:
    gone = [file for file in [*published_fingerprints(), *GROWING] if not (SCHEMAS / "json" / file).exists()]
    assert not gone, (
        f"{gone} are published: events of these types lie in the topic for ever, keep their models"
    )


@pytest.mark.parametrize("file", GROWING)
def test_what_readers_were_told_may_grow_only_gains_optional_fields(file: str) -> None:
    published = json.loads((FIRST_PUBLISHED / file).read_text(encoding="utf-8"))
    changes = breaking_changes(published, current(file))
    assert not changes, (
        f"{changes}: readers of {file} were promised new optional fields, nothing else. "
        "Take the change back, or add the next version as a type of its own."
    )


@pytest.mark.parametrize("file", GROWING)
def test_what_may_grow_lets_readers_ignore_new_fields(file: str) -> None:
    assert "additionalProperties" not in json.dumps(current(file))


def test_improving_the_words_of_a_schema_is_no_edit() -> None:
    schema = current("entity-created.v1.json")
    reworded = copy.deepcopy(schema)
    reworded["description"] = "said better"
    reworded["$defs"]["EntityData"]["properties"]["operation"]["description"] = "said better"
    assert fingerprint(reworded) == fingerprint(schema)


EDITS = ("bound", "no bound", "new field", "required", "status")


def edits() -> dict[str, dict[str, Any]]:
    schema = current("entity-created.v1.json")
    edited = {
        name: copy.deepcopy(schema) for name in ("bound", "new field", "required", "status", "no bound")
    }
    data = {name: edit["$defs"]["EntityData"] for name, edit in edited.items()}
    data["bound"]["properties"]["operation"]["maxLength"] = 99
    data["no bound"]["properties"]["sources"]["items"].pop("maxLength")
    data["new field"]["properties"]["description"] = {"type": "string"}
    data["required"]["required"].append("jobId")
    edited["status"]["$defs"]["Status"]["enum"].append("UNKNOWN")
    return edited


@pytest.mark.parametrize("edit", EDITS)
def test_every_change_of_meaning_is_an_edit(edit: str) -> None:
    assert fingerprint(edits()[edit]) != fingerprint(current("entity-created.v1.json"))


def test_a_new_optional_field_breaks_no_reader_and_any_other_change_does() -> None:
    published = current(PROVENANCE)
    grown = copy.deepcopy(published)
    grown["$defs"]["Provenance"]["properties"]["description"] = {"type": ["string", "null"]}
    assert breaking_changes(published, grown) == []
    assert breaking_changes(grown, published) == ["$.$defs.Provenance.properties.description is gone"]

    grown["$defs"]["Provenance"]["required"].append("description")
    grown["$defs"]["Origin"]["enum"].append("GUESSED")
    grown["$defs"]["Provenance"]["additionalProperties"] = False
    assert len(breaking_changes(published, grown)) == 3


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_schema_stands_alone_and_bears_a_name_not_an_address(model: Any) -> None:
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
