"""`LlamaLogger`: publish the events of a producer, with the ids of the current job."""

from collections.abc import Callable
from types import TracebackType
from typing import Self, Unpack

from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import EntityEvent
from llamalog_schemas.producer.buffer import Limits
from llamalog_schemas.producer.delivery import delivery
from llamalog_schemas.producer.events import Details, EntityTypeName, EventFactory, Id, prepare
from llamalog_schemas.producer.job import Job, check_job, job_to_enter
from llamalog_schemas.producer.scope import Attempt, JobScope
from llamalog_schemas.producer.stats import DeliveryStats, DeliveryTracker, Loss
from llamalog_schemas.producer.transports import (
    DEFAULT_TOPIC,
    ImmediateTransport,
    OutgoingMessage,
    Transport,
)

_CLOSING_SECONDS = 10.0


class LlamaLogger:
    """Publishes events: one an entity, each after the commit of the change that it describes.

    Publishing never breaks the caller's work: an event that is invalid, for which there is no room, or which
    Kafka does not accept, is counted, logged, and passed to `on_loss`. Only a call that Python itself
    refuses (a misspelt keyword) raises.

    Belongs to one event loop, the one in which it is made or first used; other threads may publish, too, and
    never wait for room. Close it: a logger that is not closed may lose pending events. A process that is
    forked while it is in use can't publish with it: each event is lost there, with a `ForkedProcessError`.

    Args:
        transport: `AiokafkaTransport(producer)`, `FastStreamTransport(broker)`, `InMemoryTransport()`,
            `ConsoleTransport()`, or any other `Transport`. The caller starts its client before, and stops it
            after, this logger.
        source: the producer as a URI reference, for example ``/catalogue/albums``.
        topic: of entity events.
        limits: of pending events, and the treatment of events beyond them.
        on_loss: called with every event that is not known to have reached Kafka.
        strict: an invalid event raises instead, in the call that publishes it: for tests.
    """

    def __init__(
        self,
        transport: Transport | ImmediateTransport,
        *,
        source: str,
        topic: str = DEFAULT_TOPIC,
        limits: Limits | None = None,
        on_loss: Callable[[Loss], object] | None = None,
        strict: bool = False,
    ) -> None:
        self.events = EventFactory(source)
        self._topic = topic
        self._strict = strict
        self._tracker = DeliveryTracker(on_loss)
        self._delivery = delivery(transport, limits or Limits(), self._tracker)

    @property
    def stats(self) -> DeliveryStats:
        """The counts of the events published so far."""
        return self._tracker.stats

    def job(
        self, job: Id | Job, *, parent: Job | Id | None = None, attempt: Attempt | None = None
    ) -> JobScope:
        """Make a job the current one for a ``with`` (or ``async with``) block.

        An id that the contract refuses is logged, its block runs, and its events are refused; a strict logger
        raises.

        Args:
            job: its id, then the current job is its parent; or a `Job`, as `Job.from_payload` makes one.
            parent: its parent instead of the current job, for example `Job.from_headers(…)`; or the id of one
                whose root is not known.
            attempt: the operation of the block; then an exception that leaves the block is published as
                ``entity-failed``, and propagates.
        """
        entered = job_to_enter(job, parent)
        check_job(entered, strict=self._strict)
        return JobScope(entered, attempt, self.events, self)

    async def created(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Publish that a new entity was persisted."""
        await self.publish(self.events.created(entity_type, entity_id, operation=operation, **details))

    async def linked(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Publish that an existing entity was associated instead of a new one: as fully as a creation."""
        await self.publish(self.events.linked(entity_type, entity_id, operation=operation, **details))

    async def created_or_linked(
        self,
        entity_type: EntityTypeName,
        entity_id: Id | None = None,
        *,
        existing: Id | bool | None,
        operation: str,
        **details: Unpack[Details],
    ) -> None:
        """Publish `linked` if the entity existed, else `created`.

        Args:
            entity_type: of the entity.
            entity_id: of the created entity; of the linked one too, if `existing` is True.
            existing: None or False: it was created. True, or the id of the existing entity: it was linked.
            operation: as of a creation, for example ``artist:created:enrichment``; where an entity was
                linked, its word ``created`` becomes ``linked``.
            **details: further fields.
        """
        event = self.events.created_or_linked(
            entity_type, entity_id, existing=existing, operation=operation, **details
        )
        await self.publish(event)

    async def enriched(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Publish that fields were filled from an outside source."""
        await self.publish(self.events.enriched(entity_type, entity_id, operation=operation, **details))

    async def corrected(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Publish that a person corrected the entity by hand."""
        await self.publish(self.events.corrected(entity_type, entity_id, operation=operation, **details))

    async def cached(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Publish that an image or a cover was cached."""
        await self.publish(self.events.cached(entity_type, entity_id, operation=operation, **details))

    async def failed(
        self,
        entity_type: EntityTypeName,
        entity_id: Id | None = None,
        *,
        operation: str,
        **details: Unpack[Details],
    ) -> None:
        """Publish that an operation failed; `entity_id` is None if no entity was created."""
        await self.publish(self.events.failed(entity_type, entity_id, operation=operation, **details))

    async def publish(self, event: EntityEvent) -> None:
        """Publish an event that `events` made, waiting for room if `limits` say so."""
        message = self._message(event)
        if message is not None:
            await self._delivery.put(message)

    def publish_nowait(self, event: EntityEvent) -> None:
        """Publish an event without waiting: it is lost if there is no room."""
        message = self._message(event)
        if message is not None:
            self._delivery.put_nowait(message)

    def reject(self, event: object, error: Exception) -> None:
        """Count an invalid event as lost; raise the error instead, if the logger is strict."""
        if self._strict:
            raise error
        self._tracker.refuse(event, error)

    async def flush(self, timeout: float | None = None) -> DeliveryStats:
        """Wait until no event is pending, for at most `timeout` seconds; return the counts."""
        await self._delivery.flush(timeout)
        return self.stats

    async def close(self, timeout: float | None = _CLOSING_SECONDS) -> DeliveryStats:
        """Accept no more events, wait for at most `timeout` seconds, count pending events as lost.

        Returns:
            The counts; `everything_delivered` sums them up.
        """
        await self._delivery.close(timeout)
        return self.stats

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _message(self, event: EntityEvent) -> OutgoingMessage | None:
        try:
            prepared = prepare(event)
        except InvalidMessageError as error:
            self.reject(event, error)
            return None
        return OutgoingMessage(self._topic, prepared.key, prepared.value)
