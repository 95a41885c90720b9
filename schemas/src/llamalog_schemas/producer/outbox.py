"""An outbox in the caller's database: an event is said if, and only if, what it describes is committed.

    session.add(album)
    session.execute(outbox.insert(log.statements.created("ALBUM", album.id, operation="album:created")))
    session.commit()

A relay takes it from there to Kafka, at least once; the event's id makes a repetition harmless.
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
from llamalog_schemas.producer.statements import prepare
from llamalog_schemas.producer.transports import DEFAULT_TOPIC, OutgoingMessage, Transport

_logger = logging.getLogger("llamalog_schemas.producer")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class Outbox:
    """The table of events that wait for Kafka; create it by the caller's migrations.

    Args:
        metadata: the caller's, to which the table is added.
        name: of the table.
        topic: where entity events go.
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
            Column("said_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
            Column("refused", Text, comment="why Kafka will never take it; NULL: it waits"),
        )

    def insert(self, *events: EntityEvent) -> Insert:
        """The statement that says events with the transaction in which it is executed.

        Raises:
            InvalidMessageError: an event is invalid; the sentence names the field.
        """
        prepared = [prepare(event) for event in events]
        return insert(self.table).values(
            [{"topic": self._topic, "key": each.key, "value": each.value} for each in prepared]
        )


class OutboxRelay:
    """Takes what is committed in an outbox to Kafka; several may run at once.

    Args:
        engine: of the database in which the outbox is.
        outbox: the table.
        transport: where events go.
        poll_seconds: between two looks at an empty outbox.
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
        """Relay until cancelled, through outages of the database and of Kafka."""
        pause = 0.0
        while True:
            try:
                relayed = await self.relay()
            except Exception as error:  # drivers raise what they like where no connection can be made
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
        """Publish one batch, and strike out what Kafka has acknowledged.

        An event that Kafka will never take stays in the table, with the reason, and holds up no other.

        Returns:
            How many are dealt with, 0 of an empty outbox; None: Kafka is away, all that it did not take
            stays.
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
            told = [row.number for row, error in zip(rows, outcomes, strict=True) if error is None]
            if told:
                await connection.execute(delete(table).where(table.c.number.in_(told)))
            away = False
            for row, error in zip(rows, outcomes, strict=True):
                if error is None:
                    continue
                if self._transport.passes(error):
                    away = True
                    continue
                _logger.error("Kafka will never take event %d of the outbox: %s", row.number, error)
                refused = update(table).where(table.c.number == row.number).values(refused=repr(error))
                await connection.execute(refused)
        return None if away else len(rows)

    async def _publish(self, rows: Sequence[Row[Any]]) -> list[Exception | None]:
        """What came of each: None where Kafka has acknowledged it."""
        return list(await asyncio.gather(*[self._publish_one(row) for row in rows]))

    async def _publish_one(self, row: Row[Any]) -> Exception | None:
        try:
            await (await self._transport.send(OutgoingMessage(row.topic, row.key, row.value)))
        except Exception as error:
            return error
        return None
