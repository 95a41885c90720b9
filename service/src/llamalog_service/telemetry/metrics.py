"""The port through which the service reports measurements, and its implementation that drops them.

Each method is called once a batch or a transaction, never once an event.
"""

from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple

from llamalog_schemas.provenance import Origin

Step = Literal["prepare", "record", "publish", "commit"]
Verdict = Literal["recorded", "duplicate", "conflict", "dead-lettered", "tombstone", "override"]


class EventKind(NamedTuple):
    """Type and verdict of a message.

    Attributes:
        type: the event's type without prefix and version; `unknown` where none could be decoded.
        reason: why it was dead-lettered; empty otherwise.
    """

    type: str
    verdict: Verdict
    reason: str = ""


class Corrected(NamedTuple):
    """The changes of a recompute.

    Attributes:
        by_origin: rows changed, by their new origin.
        known_after: seconds from recording to now, of each row whose root was unknown until now.
        parent_conflicts: rows that turned out to claim another parent than the one that counts.
        declaration_conflicts: rows whose declared root turned out not to be the computed one.
        depth: jobs above the deepest job that was visited.
        deepest: that job.
    """

    by_origin: Mapping[str, int]
    known_after: Collection[float]
    parent_conflicts: int
    declaration_conflicts: int
    depth: int
    deepest: str | None


MAX_COUNTED: Final = 100_000
"""Rows that a gauge counts at most: a whole legacy table may wait for its roots."""


class Pending(NamedTuple):
    """Rows that wait, and the age of the oldest in seconds."""

    rows: int
    oldest: float


class TableStats(NamedTuple):
    """Statistics of the tables.

    Attributes:
        unresolved: rows whose root may still become known, by origin; counted up to `MAX_COUNTED`.
        outbox: corrections that are not published yet; counted up to `MAX_COUNTED`.
        refused: rows that PostgreSQL lets no writer change; counted up to `MAX_COUNTED`.
        runs: by status.
        bytes: the size of the log on disk, its indexes included.
        history_age: seconds since the oldest correction in the history of roots.
    """

    unresolved: Mapping[str, Pending]
    outbox: Pending
    refused: int
    runs: Mapping[str, int]
    bytes: int
    history_age: float = 0.0


class Metrics:
    """Takes measurements and drops them; `PrometheusMetrics` keeps them."""

    def batch(self, records: int) -> None:
        """A batch goes through the steps."""

    def step(self, step: Step, seconds: float) -> None:
        """A step of a batch was done, waiting included."""

    def cache(self, hits: int, misses: int) -> None:
        """Jobs were looked up in the cache."""

    def events(self, counts: Mapping[EventKind, int]) -> None:
        """Messages were handled to the end."""

    def lost(self, messages: int) -> None:
        """Messages were deleted from the topic before they were read."""

    def recorded(
        self, by_origin: Mapping[Origin, int], parent_conflicts: int, declaration_conflicts: int
    ) -> None:
        """Rows were written; the counts are those of `Corrected`."""

    def jobs(self, jobs: Collection[str]) -> None:
        """Rows of these jobs were written; the collection changes no more."""

    def corrected(self, corrected: Corrected) -> None:
        """A recompute was committed."""

    def history_pruned(self, changes: int) -> None:
        """Changes of roots, older than the history is kept, were deleted."""

    def depth(self, jobs_above: int, job: str) -> None:
        """A chain was walked to its top."""

    def timeline(self, seconds: float) -> None:
        """A timeline was read."""

    def http_request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered; the seconds of a stream are those to its beginning."""


NULL_METRICS = Metrics()
