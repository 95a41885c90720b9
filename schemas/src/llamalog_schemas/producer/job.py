"""Jobs, and which of them is at work here: carried across `await`, tasks and services by itself."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote, unquote

import msgspec

from llamalog_schemas.jobs import ChainedJob

_MAX_ID = 100
"""Characters of a job's name, as the contract has it."""

_ID: Final = "llamalog-job-id"
_PARENT: Final = "llamalog-parent-job-id"
_ROOT: Final = "llamalog-root-job-id"
_PLAIN: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")
"""Printable ASCII, which stands in headers as it is."""

Headers = Mapping[str, str | bytes | None] | Iterable[tuple[str, str | bytes | None]]
"""Headers as a client hands them over: a mapping, or pairs of which a name may occur twice."""

Payload = TypeVar("Payload", bound=ChainedJob)


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of work: what its events say about where they come from.

    Attributes:
        id: names the job; equal text, equal job. 1 to 100 characters.
        parent_id: the job that started it; None: nothing did, it is a root itself.
        root_id: the topmost job of its chain; None where that is not known, and for a root.
    """

    id: str
    parent_id: str | None = None
    root_id: str | None = None

    @property
    def root(self) -> str | None:
        """The topmost job of the chain, which a job without a parent is itself; None: not known."""
        return self.root_id if self.parent_id is not None else self.id

    def child(self, job_id: str) -> "Job":
        """The job of this name below this one; this job itself if it bears that name."""
        return self if job_id == self.id else Job(job_id, self.id, self.root)

    def headers(self) -> dict[str, str]:
        """What tells another service who started its work: headers of Kafka, HTTP or anything else.

        Printable ASCII, as HTTP would have it: anything else, and ``%``, is percent-encoded UTF-8.
        """
        named = {_ID: self.id, _PARENT: self.parent_id, _ROOT: self.root_id}
        return {name: quote(value, safe=_PLAIN) for name, value in named.items() if value is not None}

    @classmethod
    def from_headers(cls, headers: Headers) -> "Job | None":
        """The job whose `headers` were sent along, below which the receiver's own jobs stand.

        Headers come from elsewhere: what is no name of a job counts as not said, never as an error. The case
        of their names means nothing, as in HTTP.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        ours = ((name.lower(), value) for name, value in pairs)
        said = {name: _name_of_job(value) for name, value in ours if name in (_ID, _PARENT, _ROOT)}
        sender = said.get(_ID)
        return None if sender is None else cls(sender, said.get(_PARENT), said.get(_ROOT))

    @classmethod
    def of_payload(cls, job_id: str, payload: ChainedJob) -> "Job":
        """The job that a queue's payload describes, under the id that the queue gave it."""
        return cls(job_id, payload.parent_job_id, payload.root_job_id)

    def hand_down(self, payload: Payload) -> Payload:
        """The payload of a job that this one starts: it names this job, and the root."""
        return msgspec.structs.replace(payload, parent_job_id=self.id, root_job_id=self.root)


class Place(NamedTuple):
    """Where in the chains of jobs the code at hand works.

    Attributes:
        job: the job whose events are said here.
        above: the job below which a new job stands; it is `job` unless only a sender is known.
    """

    job: Job | None
    above: Job | None


_NOWHERE: Final = Place(None, None)
_place: ContextVar[Place] = ContextVar("llamalog_place", default=_NOWHERE)


def here() -> Place:
    """Where the code at hand works."""
    return _place.get()


def current_job() -> Job | None:
    """The job at work here, or the one that started the work here."""
    return _place.get().above


@contextmanager
def at_work_on(job: Job) -> Iterator[Job]:
    """What is said within is said by this job."""
    with _standing(Place(job, job)):
        yield job


@contextmanager
def started_by(sender: Job | None) -> Iterator[None]:
    """What is said within was started by this job, which may have come in headers: new jobs stand below it.

    An event said within and outside of any job of one's own bears its parent and root, and no job.
    """
    with _standing(Place(None, sender)):
        yield


@contextmanager
def _standing(place: Place) -> Iterator[None]:
    token = _place.set(place)
    try:
        yield
    finally:
        # A generator (a fixture, a dependency of a web framework) may be ended in another context than it
        # was begun in: there is nothing to be put back there.
        with suppress(ValueError):
            _place.reset(token)


def _name_of_job(value: str | bytes | None) -> str | None:
    try:
        text = value.decode() if isinstance(value, bytes) else value
        value = unquote(text, errors="strict") if text else None
    except UnicodeDecodeError:
        return None
    return value if value and len(value) <= _MAX_ID and "\0" not in value else None
