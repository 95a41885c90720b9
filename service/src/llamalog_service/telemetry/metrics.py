"""What is measured, in our words; who counts is somebody else's business.

Each method is called once a batch or a transaction, never once an event. These do nothing: whoever is
given none metrics nothing.
"""

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from llamalog_schemas.provenance import Origin

Step = Literal["prepare", "record", "tell", "commit"]
Verdict = Literal["recorded", "duplicate", "conflict", "dead-lettered", "tombstone", "decree"]


class EventKind(NamedTuple):
    """What a message was and became.

    Attributes:
        type: the event's type without prefix and version; `unknown` where the message told none.
        reason: why it was dead-lettered; empty otherwise.
    """

    type: str
    verdict: Verdict
    reason: str = ""


class Corrected(NamedTuple):
    """What a recompute changed.

    Attributes:
        by_origin: rows changed, by their new origin.
        known_after: seconds from recording to now, of each row whose root was unknown until now.
        conflicts: rows that turned out to claim another parent than the one that counts.
        disagreeing: rows whose declared root turned out not to be the computed one.
        depth: jobs above the deepest job looked at.
        deepest: that job.
    """

    by_origin: Mapping[str, int]
    known_after: Collection[float]
    conflicts: int
    disagreeing: int
    depth: int
    deepest: str | None


class Metrics:
    """Takes measurements and drops them."""

    def batch(self, records: int) -> None:
        """A batch goes through the steps."""

    def step(self, step: Step, seconds: float) -> None:
        """A step of a batch was done, waiting included."""

    def cache(self, hits: int, misses: int) -> None:
        """Jobs were looked up in the cache."""

    def events(self, counts: Mapping[EventKind, int]) -> None:
        """Messages were handled to the end."""

    def recorded(self, by_origin: Mapping[Origin, int], conflicts: int, disagreeing: int) -> None:
        """Rows were written; the counts are those of `Corrected`."""

    def jobs(self, jobs: Collection[str]) -> None:
        """Rows of these jobs were written; the collection changes no more."""

    def corrected(self, corrected: Corrected) -> None:
        """A recompute was committed."""

    def depth(self, jobs_above: int, job: str) -> None:
        """A chain was walked to its top."""

    def timeline(self, seconds: float) -> None:
        """A timeline was read."""

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered; of a stream the seconds are those to its beginning."""


NULL_METRICS = Metrics()
