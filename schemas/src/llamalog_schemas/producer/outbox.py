"""An outbox in the caller's database: an event is published if and only if its change is committed.

    session.add(album)
    session.execute(outbox.insert(log.events.created("ALBUM", album.id, operation="album:created")))
    session.commit()

A relay publishes it from there, at least once; the event's id makes a repetition harmless.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from llamalog_schemas.events import EntityEvent
from llamalog_schemas.producer.events import prepare
from llamalog_schemas.producer.transports import DEFAULT_TOPIC, OutgoingMessage, Transport

_logger = logging.getLogger("llamalog_schemas.producer")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class Outbox:
    """The table of pending events; create it by the caller's migrations.

    Args:
        metadata: the caller's, to which the table is added.
        name: of the table.
        topic: of entity events.
    """

    def __init__(
        self, metadata: MetaData, *, name: str = "llamalog_outbox", topic: str = DEFAULT_TOPIC
    ) -> None:
        self._topic = topic
        self.table = Table(
            name,
            metadata,
            Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
            Column("topic", Text, nullable=False),
            Column("key", LargeBinary, nullable=False),
            Column("value", LargeBinary, nullable=False),
            Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
            Column("refused", Text, comment="why Kafka refused it; NULL: it is pending"),
        )

    def insert(self, *events: EntityEvent) -> Insert:
        """The statement that adds events to the transaction in which it is executed.

        Raises:
            InvalidMessageError: an event is invalid; the sentence names the field.
        """
        prepared = [prepare(event) for event in events]
        return insert(self.table).values(
            [{"topic": self._topic, "key": each.key, "value": each.value} for each in prepared]
        )


class OutboxRelay:
    """Publishes the committed events of an outbox; several relays may run at once.

    Args:
        engine: of the database in which the outbox is.
        outbox: the table.
        transport: to Kafka.
        poll_seconds: between two polls of an empty outbox.
        batch: the most events of one transaction.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        outbox: Outbox,
        transport: Transport,
        *,
        poll_seconds: float = 1.0,
        batch: int = 500,
    ) -> None:
        self._engine = engine
        self._table = outbox.table
        self._transport = transport
        self._poll_seconds = poll_seconds
        self._batch = batch

    async def run(self) -> None:
        """Relay until cancelled, retrying while the database or Kafka is unavailable."""
        pause = 0.0
        while True:
            try:
                relayed = await self.relay()
            except Exception as error:  # drivers raise various errors where no connection can be made
                relayed = None
                _logger.warning("the outbox can't be read or written, trying again: %r", error)
            if relayed is None:
                pause = min(_LONGEST_PAUSE, pause * 2 or _FIRST_PAUSE)
                await asyncio.sleep(pause)
                continue
            pause = 0.0
            if relayed == 0:
                await asyncio.sleep(self._poll_seconds)

    async def relay(self) -> int | None:
        """Publish one batch, and delete the events that Kafka has acknowledged.

        An event that Kafka refuses for good stays in the table, with the reason, and blocks no other.

        Returns:
            The number of events published or refused, 0 of an empty outbox; None: Kafka is unavailable, the
            events that it did not acknowledge stay.
        """
        table = self._table
        waiting = (
            select(table)
            .where(table.c.refused.is_(None))
            .order_by(table.c.number)
            .limit(self._batch)
            .with_for_update(skip_locked=True)
        )
        async with self._engine.begin() as connection:
            rows = (await connection.execute(waiting)).all()
            outcomes = await self._publish(rows)
            published = [row.number for row, error in zip(rows, outcomes, strict=True) if error is None]
            if published:
                await connection.execute(delete(table).where(table.c.number.in_(published)))
            unavailable = False
            for row, error in zip(rows, outcomes, strict=True):
                if error is None:
                    continue
                if self._transport.is_retriable(error):
                    unavailable = True
                    continue
                _logger.error("Kafka refuses event %d of the outbox: %s", row.number, error)
                refused = update(table).where(table.c.number == row.number).values(refused=repr(error))
                await connection.execute(refused)
        return None if unavailable else len(rows)

    async def _publish(self, rows: Sequence[Row[Any]]) -> list[Exception | None]:
        """The error of each; None: Kafka has acknowledged it."""
        return list(await asyncio.gather(*[self._publish_one(row) for row in rows]))

    async def _publish_one(self, row: Row[Any]) -> Exception | None:
        try:
            await (await self._transport.send(OutgoingMessage(row.topic, row.key, row.value)))
        except Exception as error:
            return error
        return None
