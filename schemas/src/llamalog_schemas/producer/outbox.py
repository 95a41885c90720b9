"""An outbox in the caller's database: an event is published if and only if its change is committed.

    session.add(album)
    session.execute(outbox.insert(log.events.created("ALBUM", album.id, operation="album:created")))
    session.commit()

A relay publishes it from there, at least once; the event's id makes a repetition harmless. An event that is
invalid never reaches the transaction: it is counted and reported, as a logger does.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
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
    false,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from llamalog_schemas.errors import InvalidMessageError, LlamalogSchemasError
from llamalog_schemas.events import EntityEvent
from llamalog_schemas.producer.delivery import is_being_cancelled
from llamalog_schemas.producer.events import Prepared, prepare
from llamalog_schemas.producer.exceptions import text_of
from llamalog_schemas.producer.stats import DeliveryStats, DeliveryTracker, Loss
from llamalog_schemas.producer.transports import DEFAULT_TOPIC, OutgoingMessage, Transport, may_recover

_logger = logging.getLogger("llamalog_schemas.producer")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_ANSWER_SECONDS = 60.0
_BYTES_AT_ONCE = 4 * 1024 * 1024
_MANY = 5000
"""Events from which on their values may be more than a statement has parameters for: 32,767 with asyncpg."""


class _InsertMany(Insert):
    """An insert of very many events, for which PostgreSQL gets each column as one array."""

    inherit_cache = False
    by_arrays: Insert


@compiles(_InsertMany, "postgresql")
def _compile_by_arrays(many: _InsertMany, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(many.by_arrays, **options)


class Outbox:
    """The table of pending events; create it by the caller's migrations.

    Args:
        metadata: the caller's, to which the table is added.
        name: of the table.
        topic: of entity events.
        on_loss: called with every invalid event.
        strict: an invalid event raises instead, in the call of `insert`: for tests.
    """

    def __init__(
        self,
        metadata: MetaData,
        *,
        name: str = "llamalog_outbox",
        topic: str = DEFAULT_TOPIC,
        on_loss: Callable[[Loss], object] | None = None,
        strict: bool = False,
    ) -> None:
        self._topic = topic
        self._strict = strict
        self._tracker = DeliveryTracker(on_loss)
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

    @property
    def stats(self) -> DeliveryStats:
        """The counts of the events given to `insert`: `pending` are those of its statements."""
        return self._tracker.stats

    def insert(self, *events: EntityEvent) -> Insert:
        """The statement that adds events to the transaction in which it is executed.

        An invalid event is left out: it is counted, logged, and passed to `on_loss`. Without any event the
        statement adds none. PostgreSQL takes any number of events; other databases have limits of their own.

        Raises:
            InvalidMessageError: an event is invalid, and the outbox is strict; the sentence names the field.
        """
        prepared = [valid for event in events if (valid := self._prepare(event)) is not None]
        if not prepared:
            columns = [self.table.c.topic, self.table.c.key, self.table.c.value]
            return insert(self.table).from_select(columns, select(*columns).where(false()))
        values = [{"topic": self._topic, "key": each.key, "value": each.value} for each in prepared]
        if len(prepared) < _MANY:
            return insert(self.table).values(values)
        many = _InsertMany(self.table).values(values)
        many.by_arrays = self._insert_by_arrays(prepared)
        return many

    def _insert_by_arrays(self, prepared: Sequence[Prepared]) -> Insert:
        arrays = [
            literal([each.key for each in prepared], ARRAY(LargeBinary)),
            literal([each.value for each in prepared], ARRAY(LargeBinary)),
        ]
        events = func.unnest(*arrays).table_valued("key", "value", with_ordinality="place").render_derived()
        source = select(literal(self._topic), events.c.key, events.c.value).order_by(events.c.place)
        return insert(self.table).from_select(["topic", "key", "value"], source)

    def _prepare(self, event: EntityEvent) -> Prepared | None:
        try:
            valid = prepare(event)
        except InvalidMessageError as error:
            if self._strict:
                raise
            self._tracker.refuse(event, error)
            return None
        self._tracker.publish()
        return valid


class OutboxRelay:
    """Publishes the committed events of an outbox; several relays may run at once.

    Args:
        engine: of the database in which the outbox is.
        outbox: the table.
        transport: to Kafka.
        poll_seconds: between two polls of an empty outbox.
        batch: the most events of one transaction, of which there are fewer if they are large.
        timeout: seconds within which Kafka has to acknowledge a batch; other events are published again.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        outbox: Outbox,
        transport: Transport,
        *,
        poll_seconds: float = 1.0,
        batch: int = 500,
        timeout: float = _ANSWER_SECONDS,
    ) -> None:
        self._engine = engine
        self._table = outbox.table
        self._transport = transport
        self._poll_seconds = poll_seconds
        self._batch = batch
        self._timeout = timeout

    async def run(self) -> None:
        """Relay until cancelled, retrying while the database or Kafka is unavailable."""
        pause = 0.0
        while True:
            try:
                relayed = await self.relay()
            except Exception as error:  # drivers raise various errors where no connection can be made
                relayed = None
                _logger.warning("the outbox can't be relayed, trying again: %r", error)
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

        Raises:
            LlamalogSchemasError: the transport can't be used here, the sentence says why; all events stay.
        """
        table = self._table
        async with self._engine.begin() as connection:
            rows = await self._next(connection)
            outcomes = await self._publish(rows)
            published = [row.number for row, error in zip(rows, outcomes, strict=True) if error is None]
            if published:
                await connection.execute(delete(table).where(table.c.number.in_(published)))
            unavailable = False
            for row, error in zip(rows, outcomes, strict=True):
                if error is None:
                    continue
                if self._may_recover(error):
                    unavailable = True
                    continue
                _logger.error("Kafka refuses event %d of the outbox: %s", row.number, error)
                refused = update(table).where(table.c.number == row.number).values(refused=text_of(error))
                await connection.execute(refused)
        return None if unavailable else len(rows)

    async def _next(self, connection: AsyncConnection) -> Sequence[Row[Any]]:
        """Lock the oldest events, and read as many of them as memory may hold."""
        table = self._table
        waiting = (
            select(table.c.number, func.length(table.c.value))
            .where(table.c.refused.is_(None))
            .order_by(table.c.number)
            .limit(self._batch)
            .with_for_update(skip_locked=True)
        )
        numbers: list[int] = []
        held = 0
        for number, size in (await connection.execute(waiting)).all():
            held += size
            if numbers and held > _BYTES_AT_ONCE:
                break
            numbers.append(number)
        if not numbers:
            return []
        chosen = select(table).where(table.c.number.in_(numbers)).order_by(table.c.number)
        return (await connection.execute(chosen)).all()

    async def _publish(self, rows: Sequence[Row[Any]]) -> list[Exception | None]:
        """The error of each; None: Kafka has acknowledged it."""
        return list(await asyncio.gather(*[self._publish_one(row) for row in rows]))

    async def _publish_one(self, row: Row[Any]) -> Exception | None:
        try:
            async with asyncio.timeout(self._timeout):
                await (await self._transport.send(OutgoingMessage(row.topic, row.key, row.value)))
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            return _NoAnswerError("the client cancelled the message")
        except TimeoutError as error:
            return _NoAnswerError(str(error) or f"no acknowledgement within {self._timeout:g} seconds")
        except LlamalogSchemasError:
            raise
        except Exception as error:
            return error
        return None

    def _may_recover(self, error: Exception) -> bool:
        return isinstance(error, _NoAnswerError) or may_recover(self._transport, error)


class _NoAnswerError(Exception):
    """It is not known whether Kafka has the event; publishing it again is harmless."""
