"""`with log.job(…)`: the job at work within, and the failure of its body told."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Protocol

from llamalog_schemas.events import EntityFailed
from llamalog_schemas.producer.details import Details, EntityTypeName, Id
from llamalog_schemas.producer.job import Job, at_work_on
from llamalog_schemas.producer.statements import Statements, plain

_MAX_MESSAGE: Final = 10_000
_MAX_CODE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a job tries to do, so that its failure can be told as ``entity-failed``.

    Attributes:
        entity_type: of what is to come to be, or to be changed.
        operation: as in the event that success would be told by.
        entity_id: None while there is no entity.
        data: what was attempted; it comes to stand in the event's ``metadata``, under ``attempted``.
        error_code: of exceptions that bear no `code` of their own; None: ``<ENTITY>_CREATION_FAILED``.
        details: anything else that the event is to say.
    """

    entity_type: EntityTypeName
    operation: str
    entity_id: Id | None = None
    data: Mapping[str, Any] | None = None
    error_code: str | None = None
    details: Details = field(default_factory=Details)

    def failure(self, statements: Statements, error: Exception) -> EntityFailed:
        """The event that tells how it failed."""
        details = Details(
            error_code=_code_of(error) or self.error_code or f"{self.entity_type}_CREATION_FAILED",
            error_message=_message_of(error),
        )
        if self.data is not None:
            details["metadata"] = {"attempted": plain(dict(self.data))}
        details.update(self.details)
        return statements.failed(self.entity_type, self.entity_id, operation=self.operation, **details)


class Speaks(Protocol):
    """Who tells the failure."""

    async def say(self, event: EntityFailed) -> None:
        """Say an event, waiting for room."""

    def say_now(self, event: EntityFailed) -> None:
        """Say an event without waiting."""

    def refuse(self, said: object, error: Exception) -> None:
        """Count what is no valid event as lost."""


class JobScope(AbstractContextManager[Job]):
    """Puts a job to work for the body of a ``with`` or an ``async with``; made by `LlamaLogger.job`.

    An exception of the body goes on as it came. With an attempt it is told first; cancellation is none.
    The ``async with`` waits for room in the buffer where the ``with`` would give the event up.
    """

    def __init__(self, job: Job, attempt: Attempt | None, statements: Statements, speaker: Speaks) -> None:
        self._job = job
        self._attempt = attempt
        self._statements = statements
        self._speaker = speaker
        self._work = ExitStack()

    def __enter__(self) -> Job:
        return self._work.enter_context(at_work_on(self._job))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            failure = self._failure(error)
            if failure is not None:
                self._speaker.say_now(failure)
        finally:
            self._work.close()

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
                await self._speaker.say(failure)
        finally:
            self._work.close()

    def _failure(self, error: BaseException | None) -> EntityFailed | None:
        if self._attempt is None or not isinstance(error, Exception):
            return None
        try:
            return self._attempt.failure(self._statements, error)
        except Exception as problem:  # it must not take the place of the body's own exception
            self._speaker.refuse(self._attempt, problem)
            return None


def _code_of(error: Exception) -> str | None:
    """The code that an exception bears, if it is one that an event can bear."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and 0 < len(code) <= _MAX_CODE else None


def _message_of(error: Exception) -> str:
    """What an exception says, as far as an event can bear it."""
    text = str(error) or type(error).__name__
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:_MAX_MESSAGE]
