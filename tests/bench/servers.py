"""The two servers of the bench, both its own, so that their CPU time can be counted."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import asyncpg

from llamalog_tools.devstack import ApacheKafka, LocalPostgres, LocalStack, LocalStackError, StackOptions

_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


class Servers(NamedTuple):
    """A PostgreSQL and an Apache Kafka that this process has started."""

    postgres: LocalPostgres
    kafka: ApacheKafka

    def pids(self) -> dict[str, int]:
        """Their processes by the names that the report uses."""
        return {"PostgreSQL": self.postgres.pid, "Kafka": self.kafka.pid}


@contextmanager
def own_servers(folder: Path, notify: Callable[[str], None]) -> Iterator[Servers]:
    """Servers for one bench alone, with their data in a folder that is made anew, and removed in the end.

    Raises:
        LlamalogError: they cannot be started, or it is not Apache Kafka.
    """
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # that new topics have no leader yet is expected
    options = replace(StackOptions.from_environment(), kafka=None, database_url=None, require_apache=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with LocalStack(folder, options, notify=notify) as stack:
            if not isinstance(stack.kafka, ApacheKafka) or not isinstance(stack.postgres, LocalPostgres):
                raise LocalStackError(
                    "The bench measures Apache Kafka and PostgreSQL of its own, nothing less."
                )
            yield Servers(stack.postgres, stack.kafka)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def durability(postgres: LocalPostgres) -> dict[str, str]:
    """PostgreSQL's settings that decide whether a commit has reached the disk."""
    server = await asyncpg.connect(postgres.url)
    try:
        return {name: await server.fetchval("SELECT current_setting($1)", name) for name in _DURABILITY}
    finally:
        await server.close()


async def settle_disk(postgres: LocalPostgres) -> None:
    """Write out what waits for the disk, so that nothing that is timed pays for what came before it."""
    server = await asyncpg.connect(postgres.url)
    try:
        await server.execute("CHECKPOINT")
    finally:
        await server.close()
    os.sync()
