"""Golden payloads decode to what was written beside them, and come back from encoding unchanged."""

import json
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from msgspec import Struct

from contract.golden_payloads import FOLDER, Golden, load_all
from llamalog_schemas import (
    BackfillEvent,
    CloudEvent,
    Command,
    ProvenanceRecorded,
    decode_backfill_event,
    decode_command,
    decode_event,
    decode_provenance,
    encode,
    encode_event_binary,
    is_legacy_row,
    is_override,
    lineage_key,
    row_id,
)
from llamalog_schemas.codec import STRUCTURED_HEADERS
from llamalog_service.domain.rows import content_of
from llamalog_tools.contract_export.files import SCHEMAS
from llamalog_tools.contract_export.json_schemas import MODELS, message_type

GOLDEN = load_all()
OF_COMMANDS = {message_type(model).name for model in get_args(Command)}
OF_BACKFILLS = {message_type(model).name for model in get_args(BackfillEvent)}
OF_EVENTS = [
    golden
    for golden in GOLDEN
    if golden.event not in {*OF_COMMANDS, *OF_BACKFILLS, message_type(ProvenanceRecorded).name}
]
OF_ENTITIES = [golden for golden in OF_EVENTS if golden.event.startswith("entity-")]


_UNSTATED = [("parentConflict", False), ("isLegacy", False), ("erased", False), ("retracted", False)]


def named(golden: Golden) -> str:
    return golden.name


def decode(golden: Golden) -> CloudEvent:
    match golden.event:
        case command if command in OF_COMMANDS:
            return decode_command(golden.value)
        case backfill if backfill in OF_BACKFILLS:
            return decode_backfill_event(golden.value)
        case "provenance-recorded":
            return decode_provenance(golden.value)
        case _:
            return decode_event(golden.value, golden.headers)


def plain(value: Any) -> Any:
    """A decoded value as JSON would hold it."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        case Enum() | UUID():
            return str(value)
        case tuple():
            return [plain(item) for item in value]
        case Struct():
            tag = value.__struct_config__.tag
            return ({"kind": tag} if tag else {}) | content(value)
        case _:
            return value


def content(data: Any) -> dict[str, Any]:
    """The fields of ``data`` that differ from their default, by their JSON names."""
    names = zip(data.__struct_fields__, data.__struct_encode_fields__, strict=True)
    values = {encoded: plain(getattr(data, field)) for field, encoded in names}
    always = {"origin", "rootJobId"} if "revision" in values else set()
    return {
        name: value
        for name, value in values.items()
        if name in always or (value not in (None, []) and (name, value) not in _UNSTATED)
    }


@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_decodes_to_what_is_expected(golden: Golden) -> None:
    message = decode(golden)
    assert type(message).__name__ == golden.expected["model"]
    assert plain(message.time) == golden.expected["time"]
    assert content(message.data) == golden.expected["data"]  # type: ignore[attr-defined]  # every message has data
    if "id" in golden.expected:
        assert message.id == golden.expected["id"]


@pytest.mark.parametrize("golden", OF_EVENTS, ids=named)
def test_names_its_row_and_its_lineage(golden: Golden) -> None:
    event = decode_event(golden.value, golden.headers)
    assert str(row_id(event)) == golden.expected["rowId"]
    assert lineage_key(event).decode() == golden.expected["lineageKey"]


@pytest.mark.parametrize("golden", OF_ENTITIES, ids=named)
def test_becomes_the_expected_row(golden: Golden) -> None:
    event = decode_event(golden.value, golden.headers)
    assert not is_override(event) and not is_legacy_row(event)
    row = content_of(event)
    assert row.category == golden.expected["category"]
    derived = {
        "artistId": row.artist_id and str(row.artist_id),
        "albumId": row.album_id and str(row.album_id),
        "trackId": row.track_id and str(row.track_id),
        "isRootJob": row.is_root_job,
        "createdAt": row.created_at.isoformat(timespec="milliseconds"),
    }
    assert derived == golden.expected["row"]
    assert row.producer == golden.structured["source"]
    assert row.traceparent == golden.expected.get("traceparent")


@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_comes_back_equal_from_structured_mode(golden: Golden) -> None:
    message = decode(golden)
    value = encode(message)
    again = golden._replace(value=value, headers=[])
    assert decode(again) == message
    if golden in OF_EVENTS:
        assert decode_event(value, STRUCTURED_HEADERS) == message


# A header is text, so a subject that is none cannot come back as what it was.
@pytest.mark.parametrize(
    "golden", [golden for golden in OF_EVENTS if not golden.name.endswith("subject-not-text")], ids=named
)
def test_comes_back_equal_from_binary_mode(golden: Golden) -> None:
    event = decode_event(golden.value, golden.headers)
    assert decode_event(*encode_event_binary(event)) == event


@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_validates_against_its_published_schema(golden: Golden) -> None:
    schema = json.loads(
        (SCHEMAS / "json" / f"{golden.event}.{golden.version}.json").read_text(encoding="utf-8")
    )
    Draft202012Validator(schema).validate(golden.structured)


def test_every_message_has_golden_payloads_of_every_version() -> None:
    wanted = {message_type(model) for model in MODELS}
    assert {(golden.event, golden.version) for golden in GOLDEN} == wanted
    for event, version in wanted:
        names = {golden.name for golden in GOLDEN if golden.name.startswith(f"{event}/{version}/")}
        assert {f"{event}/{version}/minimal", f"{event}/{version}/full"} <= names


def test_every_event_has_a_golden_payload_in_binary_mode() -> None:
    in_binary_mode = {golden.event for golden in OF_EVENTS if golden.headers}
    assert in_binary_mode == {golden.event for golden in OF_EVENTS}


def test_no_expectation_is_without_its_payload() -> None:
    stems = {path.name.removesuffix(".expected.json") for path in FOLDER.glob("*/*/*.expected.json")}
    payloads = {golden.name.split("/")[-1].removesuffix(".binary") for golden in GOLDEN}
    assert stems == payloads
