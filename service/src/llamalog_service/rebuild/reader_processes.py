"""Processes that share the reading of a long topic: each reads partitions of its own into the shadow.

They do what the rebuild's own process does. Should one end early, for any reason, the rebuild reads the
rest itself, and meets there what ended it: no error needs a way from one process to the other.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import asyncpg
import structlog

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.postgres.locks import lock_reading
from llamalog_service.rebuild.initial_load import EnumLabelStore
from llamalog_service.rebuild.ports import History, OnProgress, RebuildProgress
from llamalog_service.rebuild.shadow import ShadowBatch, read_into, read_progress, write_batch

_LOOK_SECONDS: Final = 0.05

_log = structlog.get_logger("llamalog.rebuild")


class Share(NamedTuple):
    """The part of the reading that one process does.

    Attributes:
        ends: the partitions, with the offsets up to which they are read.
        holder: the session of PostgreSQL that holds the lock of the rebuild.
        needs_labels: a legacy row with a label that the enums lack is left to the rebuild's own process.
    """

    ends: dict[int, int]
    holder: int
    needs_labels: bool


class ReaderProcesses(NamedTuple):
    """Processes that share the reading of a rebuild.

    Attributes:
        most: processes that read, the rebuild's own among them.
        read_share: the whole work of another process; pickled, so a function of a module or a partial of one.
    """

    most: int
    read_share: Callable[[Share], None]

    @asynccontextmanager
    async def reading(self, shares: Sequence[Share], look: Callable[[], object]) -> AsyncIterator[None]:
        """Have shares read meanwhile; the end of the context waits for them, an error within ends them.

        Args:
            look: called every now and then while they are waited for; may raise an error.
        """
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=self.read_share, args=(share,), daemon=True) for share in shares]
        try:
            for process in processes:
                process.start()
            yield
            while any(process.is_alive() for process in processes):
                look()
                await asyncio.sleep(_LOOK_SECONDS)
            codes = [process.exitcode for process in processes if process.exitcode]
            if codes:
                _log.info("a reader process ended early: this one reads the rest", codes=codes)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.kill()
                    process.join()


def shown_as_all(total: int, on_progress: OnProgress) -> OnProgress:
    """Show the progress of one of several equal shares as that of all messages."""

    def show(own: RebuildProgress) -> None:
        done = own.done * total // own.total if own.total else 0
        on_progress(RebuildProgress(own.phase, done, total))

    return show


async def read_own_share(pool: asyncpg.Pool, history: History, share: Share) -> None:
    """Read a share into the shadow, each batch in a transaction of its own.

    Raises:
        LlamalogError: some of it is not read.
    """
    await history.spans()

    async def write(batch: ShadowBatch) -> None:
        if share.needs_labels and await EnumLabelStore(pool).missing(batch.rows):
            raise _LabelsMissingError("rows have labels that the enums lack")
        async with pool.acquire() as connection, connection.transaction():
            await lock_reading(connection, share.holder)
            await write_batch(connection, batch)

    async with pool.acquire() as connection:
        starts = (await read_progress(connection)).next_offsets
    await read_into(write, history, starts, share.ends, lambda _: None)


class _LabelsMissingError(LlamalogError):
    """A row is left to the rebuild's own process."""


def end_with_parent(loop: asyncio.AbstractEventLoop) -> None:
    """End this process as soon as the one that started it has ended, and leave Ctrl-C to that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, os._exit, 1)
