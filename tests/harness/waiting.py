"""Wait for what other processes do."""

import asyncio
from collections.abc import Awaitable, Callable

TIMEOUT = 120.0
"""Seconds: what takes one on a quiet machine may take very many beside other work, and is no failure."""

_POLL = 0.05


async def eventually(holds: Callable[[], Awaitable[object]], within: float = TIMEOUT) -> None:
    """Wait until something holds: soon, unless the machine has much else to do.

    Raises:
        TimeoutError: it does not, after `within` seconds.
    """
    deadline = asyncio.get_running_loop().time() + within
    while not await holds():
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not within {within} s: {getattr(holds, '__doc__', None) or holds}")
        await asyncio.sleep(_POLL)
