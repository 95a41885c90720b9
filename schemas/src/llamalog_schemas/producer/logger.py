"""`LlamaLogger`: say what happened to an entity, and never think about roots again."""

from collections.abc import Callable
from types import TracebackType
from typing import Self, Unpack

from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import EntityEvent
from llamalog_schemas.producer.account import Account, Ledger, Loss, LossReason
from llamalog_schemas.producer.buffered import Limits
from llamalog_schemas.producer.delivery import delivery
from llamalog_schemas.producer.details import Details, EntityTypeName, Id
from llamalog_schemas.producer.job import Job
from llamalog_schemas.producer.scope import Attempt, JobScope
from llamalog_schemas.producer.statements import Statements, job_to_enter, prepare
from llamalog_schemas.producer.transports import (
    DEFAULT_TOPIC,
    ImmediateTransport,
    OutgoingMessage,
    Transport,
)

_CLOSING_SECONDS = 10.0


class LlamaLogger:
    """Says events, each after the commit of what it describes, one an entity.

    Saying never breaks the caller's work: an event that is invalid, for which there is no room, or which
    Kafka does not take, is counted, logged, and handed to `on_loss`. Only a call that Python itself
    refuses (a misspelt keyword) raises.

    Belongs to one event loop, that in which it is made or first used; from other threads events may be
    said, too, and never wait for room. Close it: what is not closed may end with events unsent.

    Args:
        transport: `OverAiokafka(producer)`, `OverFastStream(broker)`, `InMemory()`, `Console()`, or any
            other `Transport`. Its client is the caller's to start before, and to stop after, this logger.
        source: the producer as a URI reference, for example ``/catalogue/albums``.
        topic: where entity events go.
        limits: how much may wait for Kafka, and what happens beyond that.
        on_loss: is told every event that is not known to have reached Kafka.
        strict: an invalid event raises instead, where it is said: for tests.
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
        self.statements = Statements(source)
        self._topic = topic
        self._strict = strict
        self._ledger = Ledger(on_loss)
        self._delivery = delivery(transport, limits or Limits(), self._ledger)

    @property
    def account(self) -> Account:
        """What became of the events said so far."""
        return self._ledger.account

    def job(self, job: str | Job, *, parent: Job | None = None, attempt: Attempt | None = None) -> JobScope:
        """The job that speaks within a ``with`` (or ``async with``) block.

        Args:
            job: its id, then it stands below the job at work here, which is thus its parent; or a whole
                `Job`, as `Job.of_payload` makes one.
            parent: the job below which it stands instead, for example `Job.from_headers(…)`.
            attempt: what it tries to do; then an exception that leaves the block is told as
                ``entity-failed``, and goes on.
        """
        return JobScope(job_to_enter(job, parent), attempt, self.statements, self)

    async def created(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Say that a new entity was persisted."""
        await self.say(self.statements.created(entity_type, entity_id, operation=operation, **details))

    async def linked(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Say that an existing entity was associated instead of a new one: as fully as a creation."""
        await self.say(self.statements.linked(entity_type, entity_id, operation=operation, **details))

    async def created_or_linked(
        self,
        entity_type: EntityTypeName,
        entity_id: Id | None = None,
        *,
        existing: Id | bool | None,
        operation: str,
        **details: Unpack[Details],
    ) -> None:
        """Say the honest one of both.

        Args:
            entity_type: of the entity.
            entity_id: of what was created; of what was linked too, if `existing` is True.
            existing: None or False: nothing was there, it was created. The id of what was there, or True:
                it was linked.
            operation: as of a creation, for example ``artist:created:enrichment``; where an entity was
                linked, its word ``created`` becomes ``linked``.
            **details: what else there is to say.
        """
        try:
            event = self.statements.created_or_linked(
                entity_type, entity_id, existing=existing, operation=operation, **details
            )
        except InvalidMessageError as error:
            self.refuse((entity_type, operation, details), error)
        else:
            await self.say(event)

    async def enriched(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Say that fields were filled from an outside source."""
        await self.say(self.statements.enriched(entity_type, entity_id, operation=operation, **details))

    async def corrected(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Say that somebody corrected the entity by hand."""
        await self.say(self.statements.corrected(entity_type, entity_id, operation=operation, **details))

    async def cached(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> None:
        """Say that an image or a cover was cached."""
        await self.say(self.statements.cached(entity_type, entity_id, operation=operation, **details))

    async def failed(
        self,
        entity_type: EntityTypeName,
        entity_id: Id | None = None,
        *,
        operation: str,
        **details: Unpack[Details],
    ) -> None:
        """Say that it did not work; `entity_id` is None where nothing came to be."""
        await self.say(self.statements.failed(entity_type, entity_id, operation=operation, **details))

    async def say(self, event: EntityEvent) -> None:
        """Say an event that `statements` made, waiting for room if that is the rule."""
        message = self._message(event)
        if message is not None:
            await self._delivery.put(message)

    def say_now(self, event: EntityEvent) -> None:
        """Say an event without waiting: it is lost, and told so, if there is no room."""
        message = self._message(event)
        if message is not None:
            self._delivery.put_now(message)

    def refuse(self, said: object, error: Exception) -> None:
        """Count what is no valid event as lost; raise the error instead, if the logger is strict."""
        if self._strict:
            raise error
        self._ledger.say()
        self._ledger.lose(Loss(LossReason.REFUSED, None, said, error))

    async def flush(self, timeout: float | None = None) -> Account:
        """Wait until nothing waits for Kafka, at most so many seconds; say what became of everything."""
        await self._delivery.flush(timeout)
        return self.account

    async def close(self, timeout: float | None = _CLOSING_SECONDS) -> Account:
        """Take no more events, wait for Kafka at most so many seconds, give up what still waits.

        Returns:
            What became of everything; `everything_delivered` is the short of it.
        """
        await self._delivery.close(timeout)
        return self.account

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
            self.refuse(event, error)
            return None
        return OutgoingMessage(self._topic, prepared.key, prepared.value)
