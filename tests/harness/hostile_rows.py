"""Rows with the values that are hardest to encode: every length, escape and edge that the contract allows."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hypothesis import strategies as st

from llamalog_schemas.events import Category, DataQuality, EntityType, Status
from llamalog_schemas.limits import MAX_COUNT, MAX_INTEGER, MIN_INTEGER, JsonObject
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent

_CHARACTERS: Final = st.one_of(
    st.sampled_from('\x01\x1f\x7f\x80\x9f\u2028\ufeff\uffff\U0010ffff"\\/\b\f\n\r\t{}[],:é字🦙'),
    st.characters(codec="utf-8", exclude_characters="\0"),
)


def texts(most: int, least: int = 1) -> st.SearchStrategy[str]:
    """Texts of so many characters at most."""
    return st.text(_CHARACTERS, min_size=least, max_size=most)


_LONG: Final = st.sampled_from(["x" * 127, "é" * 2047, "🦙" * 1100, '"' * 1_000])
_UNBOUNDED: Final = st.one_of(texts(30, least=0), _LONG)
_JOB: Final = st.one_of(st.none(), texts(100), st.just("字" * 100))
_ID: Final = st.one_of(st.uuids(), st.just(UUID(int=0)), st.just(UUID(int=2**128 - 1)))
_COUNT: Final = st.one_of(st.none(), st.integers(0, MAX_COUNT), st.just(0), st.just(MAX_COUNT))
_QUALITY: Final = st.one_of(st.none(), st.sampled_from(DataQuality))
_SCALARS: Final = st.one_of(
    st.none(), st.booleans(), st.integers(MIN_INTEGER, MAX_INTEGER), st.floats(-1e9, 1e9), texts(20, least=0)
)
_JSON: Final = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts(9, 0), inner, max_size=3)),
)
_OBJECT: Final[st.SearchStrategy[JsonObject | None]] = st.one_of(
    st.none(), st.just({}), st.dictionaries(texts(9, least=0), _JSON, max_size=4)
)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MOMENT: Final = st.one_of(
    st.sampled_from(
        [
            datetime(1970, 1, 1),
            datetime(1972, 2, 29, 23, 59, 59, 999_000),
            datetime(1999, 12, 31, 23, 59, 59, 999_000),
            datetime(2000, 1, 1),
            datetime(2000, 2, 29),
            datetime(2000, 3, 1),
            datetime(2099, 12, 31, 23, 59, 59, 999_000),
        ]
    ),
    st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31)).map(
        lambda moment: moment - timedelta(microseconds=moment.microsecond % 1000)
    ),
)

CONTENTS: Final = st.builds(
    RowContent,
    id=_ID,
    entity_type=st.one_of(st.none(), st.sampled_from(EntityType)),
    entity_id=st.one_of(st.none(), _ID),
    artist_id=st.one_of(st.none(), _ID),
    album_id=st.one_of(st.none(), _ID),
    track_id=st.one_of(st.none(), _ID),
    operation=texts(100),
    category=st.sampled_from(Category),
    sources=st.lists(texts(100), max_size=3).map(tuple),
    status=st.sampled_from(Status),
    reason=st.one_of(st.none(), _UNBOUNDED),
    fields_enriched=st.lists(texts(200), max_size=5).map(tuple),
    data_quality_before=_QUALITY,
    data_quality_after=_QUALITY,
    error_message=st.one_of(st.none(), _UNBOUNDED),
    error_code=st.one_of(st.none(), texts(50)),
    retry_count=_COUNT,
    duration_ms=_COUNT,
    api_call_count=_COUNT,
    metadata=_OBJECT,
    preview_data=_OBJECT,
    job_id=_JOB,
    parent_job_id=_JOB,
    is_root_job=st.booleans(),
    triggered_by=st.one_of(st.none(), texts(50)),
    user_id=st.one_of(st.none(), texts(255)),
    created_at=_MOMENT,
    declared_root_job_id=_JOB,
    producer=st.one_of(texts(1000), st.just("🦙" * 1000)),
    traceparent=st.one_of(st.none(), st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
)
ROOTS: Final = st.builds(
    Root,
    root_job_id=_JOB,
    origin=st.sampled_from(Origin),
    cycle_members=st.one_of(st.none(), st.lists(texts(100), max_size=3).map(tuple)),
    parent_conflict=st.booleans(),
)
