"""Messages of an old version are read as the latest one; nothing behind the codec knows."""

import json
from functools import partial
from typing import Any

import pytest

from contract.golden_payloads import load, load_all
from contract.old_versions import FIRST, REGISTRY, SECOND, EntityCreatedV0, EntityCreatedV00
from contract.variations import record
from llamalog_schemas import (
    EntityCreated,
    Event,
    Headers,
    InvalidMessageError,
    InvalidReason,
    ProvenanceRecorded,
    decode_event,
    decode_provenance,
)
from llamalog_schemas.upcast import Step, Upcasters
from llamalog_service.domain.rows import content_of
from llamalog_service.ingest import batch as ingest_batch
from llamalog_service.kafka.dead_letters import RejectedRecord

ENTITY = "6b1f0000-0000-4000-8000-000000000001"
ENVELOPE = {
    "specversion": "1.0",
    "id": "an id of then",
    "source": "/catalogue/then",
    "time": "2020-02-10T10:30:00.1234567Z",
    "subject": "ALBUM",
}
V0 = {
    "entity": "ALBUM",
    "entityId": ENTITY,
    "what": "album:created",
    "worked": True,
    "job": "enrich-7",
    "startedBy": "album-create-1",
    "notes": {"title": "Lemonade", "charts": [1, 2.5, 2**62]},
}
V1 = {
    "entityType": "ALBUM",
    "entityId": ENTITY,
    "operation": "album:created",
    "status": "SUCCESS",
    "jobId": "enrich-7",
    "parentJobId": "album-create-1",
    "metadata": V0["notes"],
}


def message(version: str, data: dict[str, Any], **attributes: Any) -> bytes:
    event_type = f"llamalog.entity-created.{version}"
    return json.dumps(ENVELOPE | {"type": event_type, "data": data} | attributes).encode()


def read(value: bytes, headers: Headers = ()) -> Event:
    return decode_event(value, headers, REGISTRY)


def refused(value: bytes) -> InvalidReason:
    with pytest.raises(InvalidMessageError) as refusal:
        read(value)
    return refusal.value.reason


def test_an_old_event_is_the_latest_one_in_other_words() -> None:
    assert read(message("v0", V0)) == decode_event(message("v1", V1))


def test_it_goes_through_any_number_of_steps() -> None:
    event = read(message("v00", {"album": ENTITY, "what": "album:created", "job": "enrich-7"}))
    assert event == read(message("v0", {k: V0[k] for k in ("entity", "entityId", "what", "worked", "job")}))
    assert isinstance(event, EntityCreated)


def test_an_old_event_in_binary_mode_is_understood_too() -> None:
    headers = [(f"ce_{name}", str(value).encode()) for name, value in ENVELOPE.items()]
    headers += [("ce_type", b"llamalog.entity-created.v0"), ("content-type", b"application/json")]
    assert read(json.dumps(V0).encode(), headers) == read(message("v0", V0))


def test_name_source_and_time_stay_what_they_were() -> None:
    event = read(message("v0", V0))
    assert (event.id, event.source, event.subject) == ("an id of then", "/catalogue/then", "ALBUM")
    assert event.time.isoformat() == "2020-02-10T10:30:00.123456+00:00"  # cut, as of any event


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"colour": "red"}, InvalidReason.UNKNOWN_FIELD),
        ({"worked": "yes"}, InvalidReason.BAD_FIELD),
        ({"job": ""}, InvalidReason.BAD_FIELD),
    ],
)
def test_an_old_event_keeps_the_rules_of_its_own_version(change: Any, reason: InvalidReason) -> None:
    assert refused(message("v0", V0 | change)) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"what": "x" * 101}, InvalidReason.BAD_FIELD),
        ({"startedBy": "enrich-7"}, InvalidReason.SELF_PARENT),
        ({"notes": {"n": 2**63}}, InvalidReason.NUMBER_OUT_OF_RANGE),
        ({"notes": {"n": "\0"}}, InvalidReason.NUL_CHARACTER),
    ],
)
def test_an_upcast_message_is_validated_by_the_latest_version(change: Any, reason: InvalidReason) -> None:
    assert refused(message("v0", V0 | change)) == reason


def test_a_version_that_never_was_is_refused() -> None:
    assert refused(message("v7", V0)) == InvalidReason.UNKNOWN_TYPE
    with pytest.raises(InvalidMessageError):
        decode_event(message("v0", V0))


def test_old_provenance_is_read_by_the_consumers_of_others() -> None:
    golden = load("provenance-recorded/v1/full").structured
    golden["data"].pop("revision")
    golden["type"] = "llamalog.provenance-recorded.v0"
    latest = decode_provenance(json.dumps(golden).encode(), REGISTRY)
    assert isinstance(latest, ProvenanceRecorded)
    assert latest.data.revision == 1
    with pytest.raises(InvalidMessageError):
        read(json.dumps(golden).encode())  # no event of any version


def test_who_knows_old_versions_reads_the_latest_as_before() -> None:
    for golden in load_all():
        if golden.event.startswith("entity-"):
            assert read(golden.value, golden.headers) == decode_event(golden.value, golden.headers)


def test_nothing_behind_the_codec_knows_of_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same row: a producer that repeats an event after an upgrade causes a duplicate."""
    monkeypatch.setattr(ingest_batch, "decode_event", partial(decode_event, upcasters=REGISTRY))
    bad = message("v0", V0 | {"what": ""})
    batch = ingest_batch.decode_batch([record(message("v0", V0)), record(bad), record(message("v1", V1))])
    first, second = batch.rows
    assert first == second == content_of(read(message("v1", V1)))  # type: ignore[arg-type]
    (rejected,) = batch.rejected
    assert isinstance(rejected, RejectedRecord)
    assert rejected.record.value == bad


def test_every_old_version_leads_to_one_latest() -> None:
    assert REGISTRY.latest_of(EntityCreatedV00) is REGISTRY.latest_of(EntityCreatedV0) is EntityCreated
    assert REGISTRY.latest_of(EntityCreated) is EntityCreated
    with pytest.raises(ValueError, match="two steps"):
        Upcasters(FIRST, FIRST)
    with pytest.raises(ValueError, match="lead back"):
        Upcasters(FIRST, Step(EntityCreatedV0, EntityCreatedV00, lambda data: data))
    with pytest.raises(ValueError, match="lead back"):
        Upcasters(Step(EntityCreatedV0, EntityCreatedV0, lambda data: data))
    assert Upcasters(SECOND).old == (EntityCreatedV0,)
