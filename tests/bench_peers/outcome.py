"""What a contender did in one round, and how a contender is described."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from bench.costs import CpuSeconds


class Outcome(NamedTuple):
    """One pass of a contender over its messages.

    Attributes:
        events: that it had to record, each counted once.
        seconds: from the first fetch to the last row, or to the last step after it.
        cpu: seconds by process; `itself` is the contender's own.
        wrong: differences of what it wrote from what it was given.
    """

    contender: str
    events: int
    seconds: float
    cpu: CpuSeconds
    wrong: list[str]


class Contender(NamedTuple):
    """One thing that is measured, or several that share their processes.

    Attributes:
        key: its name in `--only`.
        measure: one round; its argument is a name for that round's database and topics.
    """

    key: str
    measure: Callable[[str], Awaitable[list[Outcome]]]


class MissingPeerError(Exception):
    """A contender cannot be had here; the message is the reason, a sentence."""
