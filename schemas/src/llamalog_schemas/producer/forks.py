"""Forked processes: objects with locks, loops or clients of the parent begin anew in the child."""

import os
from typing import Protocol
from weakref import WeakSet

from llamalog_schemas.errors import LlamalogSchemasError


class ForkedProcessError(LlamalogSchemasError):
    """A logger, or its Kafka client, belongs to the process from which this one was forked.

    Args:
        owner: the id of that process.
    """

    def __init__(self, owner: int) -> None:
        super().__init__(
            f"the logger's Kafka client belongs to process {owner}, from which this process "
            f"{os.getpid()} was forked, and can't be shared: make a logger and a Kafka client in this "
            "process, or start it with multiprocessing's method `spawn`"
        )


class Forkable(Protocol):
    """An object that holds something of its process."""

    def after_fork(self) -> None:
        """Begin anew in a forked child; no other thread runs there."""


_watched: WeakSet[Forkable] = WeakSet()


def watch_forks(each: Forkable) -> None:
    """Call `after_fork` of an object in every child that is forked while it is in use."""
    _watched.add(each)


def _begin_anew() -> None:
    for each in list(_watched):
        each.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
