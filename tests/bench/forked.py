"""A process forked from the bench, which so has all that was prepared without any copying.

It and the bench speak by turns over a pipe: what one sends the other receives.
"""

import asyncio
import gc
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from bench.drain import DrainError

_SECONDS: Final = 600.0


class Forked(NamedTuple):
    """The process, from the side of the bench."""

    name: str
    pid: int
    connection: Connection

    def send(self, word: Any) -> None:
        """Send it a word."""
        self.connection.send(word)

    async def answer(self, seconds: float = _SECONDS) -> Any:
        """Receive what it sends next.

        Raises:
            DrainError: nothing came in that time, or the process ended.
        """
        if not await asyncio.to_thread(self.connection.poll, seconds):
            raise DrainError(f"{self.name} has not answered for {seconds:.0f} s.")
        try:
            return await asyncio.to_thread(self.connection.recv)
        except EOFError:
            raise DrainError(f"{self.name} ended by itself.") from None


@contextmanager
def forked(name: str, work: Callable[..., None], *arguments: Any) -> Iterator[Forked]:
    """Run ``work(*arguments, connection)`` in a process forked from this one; it is ended in the end."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=work, args=(*arguments, theirs))
    gc.collect()
    gc.freeze()
    process.start()
    theirs.close()  # so that the end of the process is noticed
    gc.unfreeze()
    assert process.pid is not None
    try:
        yield Forked(name, process.pid, ours)
        process.join(10)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
