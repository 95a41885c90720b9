"""Job payloads are the JSON that a queue of another language holds."""

import json

import pytest

from llamalog_schemas.events import Category, Status
from llamalog_schemas.jobs import (
    CHAINED_JOBS,
    JOBS,
    EnrichAlbum,
    InvalidJobError,
    JobPayload,
    MusicBrainzSearchArtists,
    category_of_operation,
    decode_job,
    encode_job,
)

QUEUED = (
    '{"albumId":"6b1f","priority":"high","userAction":"collection_add","requestId":"r-1",'
    '"parentJobId":"album-create-1","rootJobId":"sync-1"}'
)


def test_a_payload_reads_what_a_queue_holds_and_writes_it_again() -> None:
    payload = decode_job(EnrichAlbum, QUEUED)
    assert payload == EnrichAlbum(
        album_id="6b1f",
        priority="high",
        user_action="collection_add",
        request_id="r-1",
        parent_job_id="album-create-1",
        root_job_id="sync-1",
    )
    assert json.loads(encode_job(payload)) == json.loads(QUEUED)


def test_unset_fields_are_not_written() -> None:
    assert encode_job(EnrichAlbum(album_id="6b1f")) == b'{"albumId":"6b1f"}'


def test_a_field_that_another_service_added_is_ignored() -> None:
    assert decode_job(EnrichAlbum, '{"albumId":"6b1f","colour":"red"}') == EnrichAlbum(album_id="6b1f")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("{}", "albumId"),
        ('{"albumId":"6b1f","priority":"urgent"}', "priority"),
        ("{", "truncated"),
        ('{"albumId":"\udc80"}', "surrogates"),
        ('{"odd":' + "[" * 100_000, "recursion"),
    ],
    ids=["missing", "urgent", "truncated", "surrogate", "deep"],
)
def test_a_payload_that_is_none_is_refused_with_its_operation(value: str, complaint: str) -> None:
    with pytest.raises(InvalidJobError, match=f"enrichment:album: .*{complaint}"):
        decode_job(EnrichAlbum, value)


@pytest.mark.parametrize("payload", CHAINED_JOBS, ids=lambda payload: payload.operation)
def test_a_job_of_a_chain_has_its_parent_and_root_after_its_request(payload: type[JobPayload]) -> None:
    fields = payload.__struct_encode_fields__
    at = fields.index("requestId")
    assert fields[at : at + 3] == ("requestId", "parentJobId", "rootJobId")


def test_ten_jobs_take_part_in_chains_and_the_others_name_no_parent() -> None:
    assert len(CHAINED_JOBS) == 10
    outside = [payload for payload in JOBS.values() if payload not in CHAINED_JOBS]
    assert len(outside) == 9
    assert not [payload for payload in outside if "parentJobId" in payload.__struct_encode_fields__]
    search = MusicBrainzSearchArtists(query="Beyoncé", limit=5)
    assert json.loads(encode_job(search)) == {"query": "Beyoncé", "limit": 5}


def test_the_operations_are_called_as_in_the_field() -> None:
    assert {
        "enrichment:album",
        "check:album-enrichment",
        "cache:album-cover-art",
        "cache:artist-image",
        "discogs:search-artist",
        "discogs:get-artist",
        "spotify:sync-new-releases",
    } <= JOBS.keys()


@pytest.mark.parametrize(
    ("operation", "status", "category"),
    [
        ("cache:album-cover-art", Status.FAILED, Category.CACHED),
        ("admin_correction", Status.FAILED, Category.CORRECTED),
        ("enrichment:album", Status.FAILED, Category.ENRICHED),
        ("PREVIEW_ENRICHMENT", Status.PREVIEW, Category.ENRICHED),
        ("track:created:enrichment", Status.FAILED, Category.FAILED),
        ("track:created:enrichment", Status.SUCCESS, Category.CREATED),
    ],
)
def test_the_operation_decides_before_the_status(operation: str, status: Status, category: Category) -> None:
    assert category_of_operation(operation, status) is category
