"""Servers that are away for a while, and wires that hang, break or slow down."""

import asyncio
from collections.abc import Callable
from random import Random

from chaos.proxy import Wire
from chaos.scene import Scene


async def be_away(end: Callable[[], None], begin: Callable[[], None], seconds: float) -> None:
    """End a server, or freeze it, and begin again after so many seconds."""
    await asyncio.to_thread(end)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(begin)


async def hang(wire: Wire, seconds: float) -> None:
    """Let nothing through for so many seconds."""
    wire.freeze()
    await asyncio.sleep(seconds)
    wire.thaw()


async def reset(wire: Wire, dice: Random, lifetimes: tuple[int, int], seconds: float) -> None:
    """Break every connection after a number of bytes in this range, for so many seconds."""
    wire.lifetime = lambda: dice.randint(*lifetimes)
    wire.sever()
    await asyncio.sleep(seconds)
    wire.lifetime = None
    wire.sever()


async def slow_down(scene: Scene, wire: Wire, delay: float) -> None:
    """Hold each piece up for so many seconds, during most of the load."""
    wire.delay = delay
    await scene.until_published(0.9)
    wire.delay = 0.0
