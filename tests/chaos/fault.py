"""A fault: what is done to a scene, and how it is called."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

from chaos.scene import Scene

AWAY = 5.0
"""Seconds that a server or a topic is away."""
TRIES = 6


class Fault(NamedTuple):
    """What is done to a scene, in words for the table of docs/reliability.md.

    It ends when everything that it broke is mended; from then on the recovery is timed.
    """

    name: str
    what: str
    strike: Callable[[Scene, Random], Awaitable[None]]
