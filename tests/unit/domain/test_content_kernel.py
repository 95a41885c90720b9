"""The compiled kernel gives the columns of every event that the function in Python gives."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.hostile_rows import texts
from llamalog_schemas.events import (
    DataQuality,
    EntityCached,
    EntityCorrected,
    EntityCreated,
    EntityData,
    EntityEnriched,
    EntityEvent,
    EntityFailed,
    EntityLinked,
    EntityType,
    FailureData,
    Status,
)
from llamalog_service import kernels
from llamalog_service.domain.rows import RowContent, content_of, content_of_entity

compiled = kernels.compiled or pytest.skip(
    "the kernels are not compiled: `make test-compiled`", allow_module_level=True
)

UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck))
"""On a busy machine rows are drawn slowly."""

KINDS: list[Any] = [EntityCreated, EntityLinked, EntityEnriched, EntityCorrected, EntityCached]
OPTIONAL_ID = st.one_of(st.none(), st.uuids())
JOB = st.one_of(st.none(), texts(100))
DATA = {
    "operation": texts(100),
    "status": st.sampled_from(Status),
    "album_id": OPTIONAL_ID,
    "artist_id": OPTIONAL_ID,
    "track_id": OPTIONAL_ID,
    "sources": st.lists(texts(9), max_size=2).map(tuple),
    "reason": st.one_of(st.none(), texts(9)),
    "fields_enriched": st.lists(texts(9), max_size=2).map(tuple),
    "data_quality_before": st.one_of(st.none(), st.sampled_from(DataQuality)),
    "data_quality_after": st.one_of(st.none(), st.sampled_from(DataQuality)),
    "error_message": st.one_of(st.none(), texts(9)),
    "error_code": st.one_of(st.none(), texts(9)),
    "retry_count": st.integers(0, 3),
    "duration_ms": st.integers(4, 6),
    "api_call_count": st.integers(7, 9),
    "metadata": st.dictionaries(texts(3), st.integers(), max_size=2),
    "preview_data": st.none() | st.dictionaries(texts(3), st.integers(), max_size=2),
    "job_id": JOB,
    "parent_job_id": JOB,
    "root_job_id": JOB,
    "triggered_by": st.one_of(st.none(), texts(9)),
    "user_id": st.one_of(st.none(), texts(9)),
    "entity_type": st.sampled_from(EntityType),
}
ID = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda id_: str(id_).upper()),
    texts(40),
    st.text("0123456789abcdefABCDEFgG-{}", min_size=36, max_size=36),
    st.sampled_from([str(UUID(int=0)), str(UUID(int=2**128 - 1)), UUID(int=1).hex, "\u0661" * 36, "g" * 36]),
)
ZONE = st.sampled_from([UTC, UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(0), "Z")])
TIME = st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30), timezones=ZONE)


@st.composite
def events(draw: st.DrawFn) -> EntityEvent:
    envelope: dict[str, Any] = {
        "id": draw(ID),
        "source": draw(texts(9)),
        "time": draw(TIME),
        "specversion": "1.0",
        "traceparent": draw(st.one_of(st.none(), texts(55))),
    }
    data: dict[str, Any] = {name: draw(value) for name, value in DATA.items()}
    if draw(st.booleans()):
        return EntityFailed(**envelope, data=FailureData(**data, entity_id=draw(OPTIONAL_ID)))
    kind = draw(st.sampled_from(KINDS))
    event: EntityEvent = kind(**envelope, data=EntityData(**data, entity_id=draw(st.uuids())))
    return event


@UNHURRIED
@given(events())
def test_the_content_of_an_event_is_that_of_the_function_in_python(event: EntityEvent) -> None:
    content = content_of(event)
    assert content == content_of_entity(event)
    assert [type(value) for value in as_tuple(content)] == [
        type(value) for value in as_tuple(content_of_entity(event))
    ]
    assert hash(content.id) == hash(content_of_entity(event).id)


@UNHURRIED
@given(events(), st.uuids())
def test_an_id_in_the_text_form_of_a_uuid_and_a_time_of_utc_take_the_kernel(
    event: EntityEvent, id_: UUID
) -> None:
    usual = replace(event, id=str(id_), time=event.time.astimezone(UTC))
    assert compiled.content_values(usual)[0] == id_
    assert compiled.content_values(replace(usual, id=id_.hex)) is None


def as_tuple(content: RowContent) -> list[object]:
    return [getattr(content, name) for name in RowContent.__struct_fields__]
