"""FastStream middleware that propagates the current job in the headers of messages."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from types import CodeType
from typing import Any
from uuid import UUID

from faststream import BaseMiddleware
from faststream.kafka.response import KafkaPublishCommand

from llamalog_schemas.producer.job import (
    Job,
    Site,
    check_job,
    current_job,
    enter_job,
    job_to_enter,
    started_by,
)

JobNamer = Callable[[Any], str | UUID | None]
"""The job id of a raw message (or batch), which the middleware enters; None: it is no job."""


class JobMiddleware(BaseMiddleware[KafkaPublishCommand, Any]):
    """``KafkaBroker(…, middlewares=[JobMiddleware])``: both ends of a message between two services.

    Messages published during a job bear its `headers`. While a message is handled, its sending job is the
    parent of jobs that are entered; of a batch, if one job sent all of it.
    """

    _scope: ExitStack | None = None

    async def on_receive(self) -> None:
        """Make the sender the parent of jobs while the message is handled."""
        self._scope = ExitStack()
        self._scope.enter_context(started_by(_sender(self.msg)))

    async def after_processed(self, *error: Any) -> bool | None:
        """Restore the context from before the message."""
        if self._scope is not None:
            self._scope.close()
        return False

    async def publish_scope(
        self, call_next: Callable[[KafkaPublishCommand], Awaitable[Any]], cmd: KafkaPublishCommand
    ) -> Any:
        """Add the headers of the current job; headers that the caller set stay as they are."""
        job = current_job()
        if job is not None:
            cmd.headers = {**job.headers(), **(cmd.headers or {})}
        return await call_next(cmd)


def job_middleware(name_of: JobNamer) -> type[JobMiddleware]:
    """A `JobMiddleware` that also enters the job of a message.

    Args:
        name_of: returns the job id of a raw record, or of the records of a batch.
    """

    class EnteringJobMiddleware(JobMiddleware):
        async def on_receive(self) -> None:
            await super().on_receive()
            job_id = name_of(self.msg)
            if job_id is not None and self._scope is not None:
                job = job_to_enter(job_id)
                check_job(job, site=_where_defined(name_of))
                self._scope.enter_context(enter_job(job))

    return EnteringJobMiddleware


def _where_defined(function: object) -> Site | None:
    """The first line of a function; None: it is an object of another kind."""
    code = getattr(function, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None


def _sender(message: Any) -> Job | None:
    """The job that sent a record, or every record of a batch."""
    # A batch is a tuple, and a list under FastStream's `TestKafkaBroker`.
    records: Sequence[Any] = message if isinstance(message, tuple | list) else (message,)
    senders = {Job.from_headers(record.headers) for record in records if record is not None}
    return senders.pop() if len(senders) == 1 else None
