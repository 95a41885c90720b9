"""A fault: what is done to a scene, and how it is called."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

from chaos.scene import Scene
from chaos.servers import Servers

AWAY = 5.0
"""Seconds that a server or a topic is away."""
TRIES = 6


class Fault(NamedTuple):
    """What is done to a scene, in words for the table of docs/reliability.md.

    Attributes:
        strike: ends when everything that it broke is mended; from then on the recovery is timed.
        afterwards: what an operator does once all is settled, before the outcome is judged.
        servers: the kind that it needs.
    """

    name: str
    what: str
    strike: Callable[[Scene, Random], Awaitable[None]]
    afterwards: Callable[[Scene], Awaitable[None]] | None = None
    servers: Servers = Servers.ONE_OF_EACH
