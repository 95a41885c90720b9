"""The two servers of the bench, both its own, so that their CPU time can be counted."""

import os
from typing import NamedTuple

import asyncpg

from llamalog_tools.devstack import ApacheKafka, LocalPostgres, LocalStack, LocalStackError

_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


class Servers(NamedTuple):
    """A PostgreSQL and an Apache Kafka that this process has started."""

    postgres: LocalPostgres
    kafka: ApacheKafka

    def pids(self) -> dict[str, int]:
        """Their processes by the names that the report uses."""
        return {"PostgreSQL": self.postgres.pid, "Kafka": self.kafka.pid}


def own_servers(stack: LocalStack) -> Servers:
    """The servers of a started stack.

    Raises:
        LocalStackError: one of them was given, or is not Apache Kafka.
    """
    if not isinstance(stack.kafka, ApacheKafka) or not isinstance(stack.postgres, LocalPostgres):
        raise LocalStackError("The bench metrics Apache Kafka and PostgreSQL of its own, nothing less.")
    return Servers(stack.postgres, stack.kafka)


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
