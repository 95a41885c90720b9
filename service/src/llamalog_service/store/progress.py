"""How far a migration is, for whoever waits for it."""

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """A step that changes rows: what it does, and how many of how many rows it has changed."""

    what: str
    done: int
    total: int


Watch = Callable[[Progress], None]
"""Told of every batch; must be quick."""
