"""docs/contract.md, what follows from an event: each test bears its rule's number."""

import json
from collections.abc import Sequence
from typing import Any, get_args
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from contract.variations import FULL, Change, accepted, record, row_of, value_of
from llamalog_schemas import (
    Category,
    EntityEvent,
    EntityType,
    decode_event,
    encode_event_binary,
    lineage_key,
    row_id,
)
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.ingest.batch import CONFLICT, ClassifiedBatch, classify, decode_batch


def test_f1_a_row_bears_the_event_s_uuid_or_one_made_of_source_and_id() -> None:
    given = "0199A1B2-c3d4-7e5f-8a6b-00000000000a"
    assert row_id(accepted(value_of(id=given))) == UUID(given)
    for other in ("17", given.replace("-", ""), f"{{{given}}}", f"{given} "):
        made = uuid5(NAMESPACE_URL, f"/import#{other}")
        assert row_id(accepted(value_of(id=other, source="/import"))) == made


def test_f1_no_two_pairs_of_source_and_id_share_a_row() -> None:
    """Their texts with a `#` between them may be equal."""
    parts = ("s", "s#x", "s##x", "s%23x", "s#x#y", "x#y", "#x", "#", "y", "#y", "x", "##")
    rows = {row_id(accepted(value_of(id=id_, source=source))) for source in parts for id_ in parts}
    assert len(rows) == len(parts) ** 2
    assert row_id(accepted(value_of(id="x#y", source="s"))) == uuid5(NAMESPACE_URL, "s#x#y")
    assert row_id(accepted(value_of(id="y", source="s#x"))) == uuid5(uuid5(NAMESPACE_URL, "s#x"), "y")


def test_f2_the_key_is_the_first_of_root_parent_job_entity_and_id() -> None:
    left_out: Change = {}
    for name in ("rootJobId", "parentJobId", "jobId", "entityId"):
        event = accepted(value_of(left_out, type="llamalog.entity-failed.v1"))
        assert lineage_key(event) == FULL["data"][name].encode()
        left_out[name] = None
    event = accepted(value_of(left_out, type="llamalog.entity-failed.v1", id="événement"))
    assert lineage_key(event) == "événement".encode()
    lying_elsewhere = decode_batch([record(value_of(), key=b"another key")])
    assert lying_elsewhere.rejected == []


@pytest.mark.parametrize("kind", EntityType)
def test_f3_the_id_column_of_the_entity_s_own_type_follows(kind: EntityType) -> None:
    nothing = {"entityType": kind, "albumId": None, "artistId": None, "trackId": None}
    name = f"{kind.lower()}_id"
    row = row_of(value_of(nothing))
    columns = {column: getattr(row, column) for column in ("album_id", "artist_id", "track_id")}
    assert columns == dict.fromkeys(columns) | {name: UUID(FULL["data"]["entityId"])}
    other = "11111111-2222-4333-8444-555555555555"
    row = row_of(value_of(nothing | {f"{kind.lower()}Id": other}))
    assert getattr(row, name) == UUID(other)


def test_f4_the_category_follows_from_the_type_and_the_root_flag_from_the_jobs() -> None:
    found = {
        row_of(value_of(type=f"llamalog.entity-{category.lower()}.v1")).category for category in Category
    }
    assert found == set(Category)
    assert len(get_args(EntityEvent)) == len(Category)
    assert not row_of(value_of()).is_root_job
    assert row_of(value_of({"parentJobId": None})).is_root_job
    assert not row_of(value_of({"parentJobId": None, "jobId": None})).is_root_job
    assert not row_of(value_of({"jobId": None})).is_root_job


class PlainEquality:
    async def json_equal(self, one: Any, other: Any) -> bool:
        return bool(one == other)

    async def legacy_equal(self, rows: Sequence[LegacyContent]) -> list[bool]:
        raise AssertionError("no row is in the table")


async def classified_batch(*records: Any) -> ClassifiedBatch:
    return await classify(decode_batch(records), {}, PlainEquality())


async def test_f5_the_same_id_with_equal_content_is_a_duplicate() -> None:
    value, headers = encode_event_binary(decode_event(value_of()))
    classified = await classified_batch(
        record(value_of()),
        record(value_of()),
        record(value, headers),
        record(value_of(time="2026-02-10T11:30:00.123987+01:00")),
        record(value_of(id=FULL["id"].upper(), subject="other", tracestate="x")),
        record(json.dumps(dict(reversed(FULL.items())), indent=4).encode()),
    )
    assert (len(classified.new), classified.duplicates, classified.rejected) == (1, 5, [])


CONFLICTING: list[Change] = [
    {"time": "2026-02-10T10:30:00.124Z"},
    {"type": "llamalog.entity-linked.v1"},
    {"data": FULL["data"] | {"operation": "track:created:again"}},
    {"data": FULL["data"] | {"sources": list(reversed(FULL["data"]["sources"]))}},
    {"data": FULL["data"] | {"metadata": {}}},
    {"data": FULL["data"] | {"rootJobId": "another"}},
]


@pytest.mark.parametrize("change", CONFLICTING, ids=str)
async def test_f6_the_same_id_with_other_content_is_a_conflict(change: Change) -> None:
    classified = await classified_batch(record(value_of()), record(json.dumps(FULL | change).encode()))
    assert classified.new == [row_of(value_of())]
    assert [rejected.verdict.reason for rejected in classified.rejected] == [CONFLICT]
