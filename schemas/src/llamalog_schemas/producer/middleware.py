"""FastStream carries the job at work along: into the headers of what is published, and out of them."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from types import CodeType
from typing import Any

from faststream import BaseMiddleware
from faststream.kafka.response import KafkaPublishCommand

from llamalog_schemas.producer.job import Job, at_work_on, current_job, started_by
from llamalog_schemas.producer.warn import Site, warn_of_unknown_root

JobNamer = Callable[[Any], str | None]
"""Names the job that a raw message (or batch) is, so that the middleware enters it; None: it is none."""


class JobMiddleware(BaseMiddleware[KafkaPublishCommand, Any]):
    """``KafkaBroker(…, middlewares=[JobMiddleware])``: both ends of the way between two services.

    What is published while a job is at work bears its `headers`. While a message is handled, jobs that are
    entered stand below the job that sent it; of a batch, if one job sent all of it.
    """

    _scope: ExitStack | None = None

    async def on_receive(self) -> None:
        """Stand below the sender while the message is handled."""
        self._scope = ExitStack()
        self._scope.enter_context(started_by(_sender(self.msg)))

    async def after_processed(self, *error: Any) -> bool | None:
        """Stand where one stood before."""
        if self._scope is not None:
            self._scope.close()
        return False

    async def publish_scope(
        self, call_next: Callable[[KafkaPublishCommand], Awaitable[Any]], cmd: KafkaPublishCommand
    ) -> Any:
        """Send the job at work along; headers that the caller set stay as they are."""
        job = current_job()
        if job is not None:
            cmd.headers = {**job.headers(), **(cmd.headers or {})}
        return await call_next(cmd)


def job_middleware(name_of: JobNamer) -> type[JobMiddleware]:
    """A `JobMiddleware` that also enters the job that a message is.

    Args:
        name_of: given the raw record, or the records of a batch, the id of the job.
    """

    class EnteringJobMiddleware(JobMiddleware):
        async def on_receive(self) -> None:
            await super().on_receive()
            job_id = name_of(self.msg)
            if job_id is not None and self._scope is not None:
                above = current_job()
                job = Job(job_id) if above is None else above.child(job_id)
                if job.parent_id is not None and job.root is None:
                    warn_of_unknown_root(job.id, job.parent_id, _where_defined(name_of))
                self._scope.enter_context(at_work_on(job))

    return EnteringJobMiddleware


def _where_defined(function: object) -> Site | None:
    """The first line of a function; None: it is an object of another kind."""
    code = getattr(function, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None


def _sender(message: Any) -> Job | None:
    """The job that sent a record, or every record of a batch."""
    records: Sequence[Any] = message if isinstance(message, tuple) else (message,)
    senders = {Job.from_headers(record.headers) for record in records if record is not None}
    return senders.pop() if len(senders) == 1 else None
