"""Publishing never breaks the caller's work, for any arguments, and every event is counted."""

import warnings
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamalog_schemas.producer import (
    Attempt,
    DeliveryStats,
    Details,
    InMemoryTransport,
    LlamaLogger,
    LossReason,
)
from llamalog_schemas.producer.stats import Loss


class Unruly:
    """Fails in every method."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.datetimes(),
    st.uuids(),
    st.just("\ud800"),
    st.just(10**400),
    st.builds(object),
    st.builds(Unruly),
)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(SCALARS, inner))
KEYWORDS = sorted(Details.__annotations__)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    entity_type=ANYTHING,
    entity_id=ANYTHING,
    operation=ANYTHING,
    existing=ANYTHING,
    details=st.dictionaries(st.sampled_from(KEYWORDS), ANYTHING, max_size=4),
)
async def test_no_call_raises_and_every_event_is_counted(
    entity_type: Any, entity_id: Any, operation: Any, existing: Any, details: Any
) -> None:
    losses: list[Loss] = []
    log = LlamaLogger(InMemoryTransport(), source="/x", on_loss=losses.append)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for publish in (log.created, log.linked, log.enriched, log.corrected, log.cached, log.failed):
            await publish(entity_type, entity_id, operation=operation, **details)
        await log.created_or_linked(entity_type, entity_id, existing=existing, operation=operation, **details)
    stats = log.stats
    assert stats.published == stats.delivered + stats.refused == 7
    assert len(losses) == stats.refused


@pytest.mark.parametrize(
    "lineage",
    [
        {"parent_job_id": Unruly()},
        {"parent_job_id": [Unruly()]},
        {"job_id": [Unruly()], "parent_job_id": "a"},
    ],
)
async def test_a_job_that_has_no_text_is_refused_and_not_warned_about(lineage: Any) -> None:
    log = LlamaLogger(InMemoryTransport(), source="/x")
    await log.created("ALBUM", UUID(int=1), operation="album:created", **lineage)
    assert log.stats == DeliveryStats(published=1, refused=1)


class OddError(Exception):
    code = Unruly()

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (OddError(), None),
        (ValueError("\ud800\0"), None),
        (ValueError("x" * 1_000_000), {"n": 10**400}),
        (ValueError("no album"), {"odd": Unruly()}),
        (ValueError("no album"), {("a", 1): {"b": object()}}),
    ],
)
def test_publishing_a_failure_never_takes_the_place_of_the_failure(error: Exception, data: Any) -> None:
    memory = InMemoryTransport()
    losses: list[Loss] = []
    log = LlamaLogger(memory, source="/x", on_loss=losses.append)
    attempt = Attempt(entity_type="ALBUM", operation="album:created", data=data)
    with pytest.raises(type(error)) as caught, log.job("album-create-1", attempt=attempt):
        raise error
    assert caught.value is error
    assert len(memory.events) + len(losses) == 1
    assert {loss.reason for loss in losses} <= {LossReason.REFUSED}


def test_an_attempt_with_unknown_fields_is_reported_as_lost() -> None:
    log = LlamaLogger(InMemoryTransport(), source="/x")
    attempt = Attempt(entity_type="ALBUM", operation="o", details={"statsu": "FAILED"})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(ValueError, match="no album"), log.job("a", attempt=attempt):
        raise ValueError("no album")
    assert log.stats == DeliveryStats(published=1, refused=1)
