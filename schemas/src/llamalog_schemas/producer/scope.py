"""`with log.job(…)`: the current job of a block, and the event of its failure."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from llamalog_schemas.events import EntityFailed
from llamalog_schemas.producer.events import Details, EntityTypeName, EventFactory, Id, plain
from llamalog_schemas.producer.exceptions import code_of, message_of
from llamalog_schemas.producer.job import Job, JobContext, begin_job, leave_job


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The operation of a job, so that its failure can be published as ``entity-failed``.

    Attributes:
        entity_type: of the entity to be created or changed.
        operation: as in the event of its success.
        entity_id: None while there is no entity.
        data: the attempted values; they become ``attempted`` in the event's ``metadata``.
        error_code: of its failures; None: the exception's `code` or the database's SQLSTATE, if it has one,
            else ``<ENTITY>_CREATION_FAILED``.
        details: further fields of the event.
    """

    entity_type: EntityTypeName
    operation: str
    entity_id: Id | None = None
    data: Mapping[str, Any] | None = None
    error_code: str | None = None
    details: Details = field(default_factory=Details)

    def failure(self, events: EventFactory, error: Exception) -> EntityFailed:
        """The event of its failure."""
        details = Details(
            error_code=self.error_code or code_of(error) or f"{self.entity_type}_CREATION_FAILED",
            error_message=message_of(error),
        )
        if self.data is not None:
            details["metadata"] = {"attempted": plain(dict(self.data))}
        details.update(self.details)
        return events.failed(self.entity_type, self.entity_id, operation=self.operation, **details)


class FailurePublisher(Protocol):
    """The publisher of a failure."""

    async def publish(self, event: EntityFailed) -> None:
        """Publish an event, waiting for room."""

    def publish_nowait(self, event: EntityFailed) -> None:
        """Publish an event without waiting."""

    def reject(self, event: object, error: Exception) -> None:
        """Count an invalid event as lost."""


class JobScope(AbstractContextManager[Job]):
    """Makes a job the current one for the body of a ``with`` or an ``async with``; made by `LlamaLogger.job`.

    An exception of the body propagates unchanged. With an attempt it is published first; cancellation is not.
    The ``async with`` waits for room in the buffer where the ``with`` would lose the event. It may be entered
    again, also while it is entered, and by several tasks or threads.
    """

    def __init__(
        self, job: Job, attempt: Attempt | None, events: EventFactory, publisher: FailurePublisher
    ) -> None:
        self._job = job
        self._attempt = attempt
        self._events = events
        self._publisher = publisher
        self._entered: list[Token[JobContext]] = []

    def __enter__(self) -> Job:
        self._entered.append(begin_job(self._job))
        return self._job

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            failure = self._failure(error)
            if failure is not None:
                self._publisher.publish_nowait(failure)
        finally:
            self._leave()

    async def __aenter__(self) -> Job:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            failure = self._failure(error)
            if failure is not None:
                await self._publisher.publish(failure)
        finally:
            self._leave()

    def _leave(self) -> None:
        """Leave the innermost block of this context; other tasks may be in blocks of theirs."""
        for entered in reversed(self._entered.copy()):
            if leave_job(entered):
                self._entered.remove(entered)
                return

    def _failure(self, error: BaseException | None) -> EntityFailed | None:
        if self._attempt is None or not isinstance(error, Exception):
            return None
        try:
            return self._attempt.failure(self._events, error)
        except Exception as problem:  # it must not replace the body's own exception
            self._publisher.reject(self._attempt, problem)
            return None
