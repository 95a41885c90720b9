"""Jobs, and the current one: carried across `await`, tasks and services by context variables and headers."""

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec

from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.jobs import ChainedJob
from llamalog_schemas.limits import MAX_JOB_LENGTH

_logger = logging.getLogger("llamalog_schemas.producer")

_PACKAGE: Final = __name__.rpartition(".")[0] + "."
_ID: Final = "llamalog-job-id"
_PARENT: Final = "llamalog-parent-job-id"
_ROOT: Final = "llamalog-root-job-id"
_PLAIN: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")
"""Printable ASCII, which headers hold unencoded."""

Headers = Mapping[str, str | bytes | None] | Iterable[tuple[str | bytes, str | bytes | None]]
"""Headers as a client or ASGI has them: a mapping, or pairs of which a name may occur twice."""

Payload = TypeVar("Payload", bound=ChainedJob)

Site = tuple[str, int]
"""A file and a line of it."""

_warned: set[Site] = set()


class UnknownRootWarning(UserWarning):
    """A job has a parent and no known root: pass the root on, or its rows wait for the parent's events."""


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of work, and the lineage of its events.

    A UUID becomes its text. Another id is kept as it is, so that a bad one breaks no work of the caller: its
    events are refused, and other services do not receive it.

    Attributes:
        id: names the job; equal text, equal job. 1 to 100 characters.
        parent_id: the job that started it; None: nothing did, it is a root itself.
        root_id: the topmost job of its chain; None where that is not known, and for a root.
    """

    id: str
    parent_id: str | None = None
    root_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("id", "parent_id", "root_id"):
            value = getattr(self, name)
            if isinstance(value, UUID):
                object.__setattr__(self, name, str(value))
        if self.id is None:
            object.__setattr__(self, "id", "")  # not even the parent of a job may look like none

    @property
    def root(self) -> str | None:
        """The topmost job of the chain, which a job without a parent is itself; None: not known."""
        return self.root_id if self.parent_id is not None else self.id

    @property
    def fault(self) -> str | None:
        """The reason for which the contract refuses its events; None: there is none."""
        ids: dict[str, Any] = {
            "the job's id": self.id,
            "its parent's id": self.parent_id,
            "its root's id": self.root_id,
        }
        for name, value in ids.items():
            fault = None if value is None else _fault_of_id(value)
            if fault is not None:
                return f"{name} {fault}; an id is a text of 1 to {MAX_JOB_LENGTH} characters"
        return None

    def child(self, job_id: str | UUID) -> "Job":
        """The child with this id; this job itself if it has that id."""
        name = plain_id(job_id)
        return self if name == self.id else Job(name, self.id, self.root)

    def headers(self) -> dict[str, str]:
        """Headers that propagate this job to another service, over Kafka, HTTP or anything else.

        Printable ASCII, as HTTP would have it: anything else, and ``%``, is percent-encoded UTF-8. An id that
        the contract refuses is left out; without a job's own, nothing is left.
        """
        if _fault_of_id(self.id) is not None:
            return {}
        ids = {_ID: self.id, _PARENT: self.parent_id, _ROOT: self.root_id}
        return {
            name: quote(value, safe=_PLAIN)
            for name, value in ids.items()
            if value is not None and _fault_of_id(value) is None
        }

    @classmethod
    def from_headers(cls, headers: Headers | None) -> "Job | None":
        """The job whose `headers` came with a message: the parent of the receiver's own jobs.

        A value that is no job's id counts as absent, never as an error. The case of header names is ignored,
        as in HTTP.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        ours = ((_header_name(name), value) for name, value in pairs)
        found = {name: _job_id(value) for name, value in ours if name in (_ID, _PARENT, _ROOT)}
        sender = found.get(_ID)
        return None if sender is None else cls(sender, found.get(_PARENT), found.get(_ROOT))

    @classmethod
    def from_payload(cls, job_id: str | UUID, payload: ChainedJob) -> "Job":
        """The job of a queue's payload, under the id that the queue gave it."""
        return cls(plain_id(job_id), payload.parent_job_id, payload.root_job_id)

    def propagate_to(self, payload: Payload) -> Payload:
        """The payload with this job as its parent, and the root; with neither if an id is no job's."""
        if self.fault is not None:
            return msgspec.structs.replace(payload, parent_job_id=None, root_job_id=None)
        return msgspec.structs.replace(payload, parent_job_id=self.id, root_job_id=self.root)


def plain_id(value: str | UUID) -> str:
    """An id as text."""
    return str(value) if isinstance(value, UUID) else value


def job_to_enter(job: "str | UUID | Job", parent: "Job | str | UUID | None" = None) -> Job:
    """The job as a child of its parent, if one is given, else of the current job.

    Args:
        job: its id; a `Job` has its parent already.
        parent: or only its id, then its root is not known.
    """
    if isinstance(job, Job):
        return job
    name = plain_id(job)
    if parent is None:
        above = current_context().above
        return Job(name) if above is None else above.child(name)
    return parent.child(name) if isinstance(parent, Job) else Job(name, plain_id(parent))


def check_job(job: Job, *, strict: bool = False, site: "Site | None" = None) -> None:
    """Report a job whose events will be refused, or warn of one whose root is not known.

    Args:
        strict: raise instead of logging.
        site: the place in the caller's code, if that is not on the stack.

    Raises:
        InvalidMessageError: the contract refuses an id, and the check is strict.
    """
    fault = job.fault
    if fault is not None:
        if strict:
            raise InvalidMessageError(InvalidReason.BAD_FIELD, fault)
        _logger.error("the events of a job will be refused, its work goes on: %s", fault)
    elif job.parent_id is not None and job.root is None:
        warn_about_unknown_root(job.id, job.parent_id, site)


class JobContext(NamedTuple):
    """The position of the running code in the chains of jobs.

    Attributes:
        job: the job of the events that are published here.
        above: the parent of a new job; it is `job` unless only a sender is known.
        fault: the reason for which the contract refuses events with the ids of that job.
    """

    job: Job | None
    above: Job | None
    fault: str | None = None


_NO_JOB: Final = JobContext(None, None)
_context: ContextVar[JobContext] = ContextVar("llamalog_job_context", default=_NO_JOB)


def current_context() -> JobContext:
    """The context of the running code."""
    return _context.get()


def current_job() -> Job | None:
    """The current job, or the one that started the current work."""
    return _context.get().above


@contextmanager
def enter_job(job: Job) -> Iterator[Job]:
    """Make a job the current one for the body: its events bear the job's ids."""
    with _entered(JobContext(job, job, job.fault)):
        yield job


def begin_job(job: Job) -> Token[JobContext]:
    """The same up to `leave_job`."""
    return _context.set(JobContext(job, job, job.fault))


def leave_job(entered: Token[JobContext]) -> bool:
    """Restore the context from before; False: it was entered in another context.

    A generator (a fixture, a dependency of a web framework) may end in another context than the one it began
    in: there is nothing to restore there.
    """
    try:
        _context.reset(entered)
    except ValueError:
        return False
    return True


@contextmanager
def started_by(sender: Job | None) -> Iterator[None]:
    """Make a job, which may have come in headers, the parent of new jobs in the body.

    An event that is published in the body outside of any job bears this parent and its root, and no job id.
    """
    with _entered(JobContext(None, sender, None if sender is None else sender.fault)):
        yield


@contextmanager
def _entered(context: JobContext) -> Iterator[None]:
    token = _context.set(context)
    try:
        yield
    finally:
        leave_job(token)


def warn_about_unknown_root(job_id: str | None, parent_id: str, site: Site | None = None) -> None:
    """Warn, once a call site; `PYTHONWARNINGS=ignore::UserWarning` silences it.

    Args:
        job_id: the child.
        parent_id: the job that started it.
        site: the place in the caller's code, if that is not on the stack.
    """
    site = site or call_site()
    if site in _warned:
        return
    _warned.add(site)
    file, line = site
    warnings.warn_explicit(
        f"job {job_id or '(none)'} was started by {parent_id}, whose root is not known here: its rows have "
        "no root until that job's own events are seen. Pass the root on: enter the parent with "
        "`with log.job(…)`, send `job.headers()`, or name `rootJobId` in the payload",
        UnknownRootWarning,
        file,
        line,
    )


def call_site() -> Site:
    """The innermost frame that is not of this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        frame = frame.f_back
    return ("<unknown>", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def _header_name(name: object) -> str:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return name.lower() if isinstance(name, str) else ""


def _job_id(value: str | bytes | None) -> str | None:
    try:
        text = value.decode() if isinstance(value, bytes) else value
        value = unquote(text, errors="strict") if isinstance(text, str) else None
    except UnicodeDecodeError:
        return None
    return value if _fault_of_id(value) is None else None


def _fault_of_id(value: Any) -> str | None:
    """The rule of the contract that a job's id violates; None: there is none."""
    if not isinstance(value, str):
        return f"is of type {type(value).__name__}"
    if not value:
        return "is empty"
    if len(value) > MAX_JOB_LENGTH:
        return f"has {len(value)} characters; {MAX_JOB_LENGTH} are allowed"
    if "\0" in value:
        return "holds a NUL character"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "can't be written in UTF-8"
    return None
