"""An outbox takes valid events into the caller's transaction, and counts and reports the others."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Column, Engine, MetaData, String, Table, create_engine, insert, select
from sqlalchemy.orm import Session

from llamalog_schemas import InvalidMessageError, decode_event
from llamalog_schemas.producer import EventFactory, Loss, LossReason
from llamalog_schemas.producer.outbox import Outbox

METADATA = MetaData()
ALBUMS = Table("albums", METADATA, Column("title", String, primary_key=True))
EVENTS = EventFactory("/catalogue/albums")

INVALID: dict[str, dict[str, Any]] = {
    "NUL": {"reason": "a\0b"},
    "errorCode": {"error_code": "x" * 51},
    "bytes; 262144 are allowed": {"metadata": {"text": "x" * 300_000}},
    "no JSON": {"metadata": {"odd": object()}},
    "operation": {"operation": ""},
}


@pytest.fixture
def losses() -> list[Loss]:
    return []


@pytest.fixture
def outbox(losses: list[Loss]) -> Outbox:
    return Outbox(MetaData(), on_loss=losses.append)


@pytest.fixture
def engine(outbox: Outbox) -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    outbox.table.metadata.create_all(engine)
    yield engine
    engine.dispose()


def created(**details: Any) -> Any:
    return EVENTS.created("ALBUM", uuid4(), **({"operation": "album:created"} | details))


def in_outbox(engine: Engine, outbox: Outbox) -> list[str]:
    with engine.connect() as connection:
        rows = connection.execute(select(outbox.table).order_by(outbox.table.c.number)).all()
    return [decode_event(row.value).id for row in rows]


@pytest.mark.parametrize("complaint", INVALID)
def test_an_invalid_event_is_counted_and_the_change_is_committed(
    complaint: str, engine: Engine, outbox: Outbox, losses: list[Loss]
) -> None:
    valid, invalid = created(), created(**INVALID[complaint])
    with Session(engine) as session:
        session.execute(insert(ALBUMS).values(title="Lemonade"))
        session.execute(outbox.insert(invalid))
        session.execute(outbox.insert(valid, invalid))
        session.commit()
        assert session.execute(select(ALBUMS.c.title)).scalars().all() == ["Lemonade"]
    assert in_outbox(engine, outbox) == [valid.id]
    assert [loss.reason for loss in losses] == [LossReason.REFUSED] * 2
    assert complaint in str(losses[0].error)
    assert losses[0].event is invalid
    stats = outbox.stats
    assert (stats.published, stats.refused, stats.pending) == (3, 2, 1)


def test_no_event_adds_none(engine: Engine, outbox: Outbox) -> None:
    with engine.begin() as connection:
        connection.execute(outbox.insert())
        connection.execute(outbox.insert(*[created() for _ in range(3)]))
        connection.execute(outbox.insert())
    assert len(in_outbox(engine, outbox)) == 3


def test_neither_a_created_nor_a_linked_entity_is_counted(engine: Engine, outbox: Outbox) -> None:
    event = EVENTS.created_or_linked("ARTIST", existing=None, operation="artist:created")
    with engine.begin() as connection:
        connection.execute(outbox.insert(event))
    assert outbox.stats.refused == 1


@pytest.mark.parametrize("job_id", ["", "x" * 101, 7])
def test_the_events_of_a_bad_job_are_counted(job_id: Any, engine: Engine, outbox: Outbox) -> None:
    with engine.begin() as connection, EVENTS.job(job_id):
        connection.execute(outbox.insert(created()))
    assert (outbox.stats.refused, in_outbox(engine, outbox)) == (1, [])


def test_a_strict_outbox_raises() -> None:
    with pytest.raises(InvalidMessageError, match="operation"):
        Outbox(MetaData(), strict=True).insert(created(operation=""))


def test_a_callback_that_fails_does_not_reach_the_transaction(engine: Engine) -> None:
    outbox = Outbox(MetaData(), on_loss=lambda loss: 1 / 0)
    outbox.table.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(outbox.insert(created(operation="")))
    assert outbox.stats.refused == 1
