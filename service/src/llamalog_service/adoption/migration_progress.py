"""How far a migration is, for whoever waits for it."""

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """A step that takes its time: what it does, and how many of how many rows are changed, if it can say."""

    what: str
    done: int = 0
    total: int | None = None


Watch = Callable[[Progress], None]
"""Told of every batch; must be quick."""
