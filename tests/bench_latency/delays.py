"""How long each event took: from its sending to the commit of its row and to its provenance record.

PostgreSQL keeps the time of every commit (`track_commit_timestamp`). A row that was corrected later bears the
time of the correction. But all rows of one transaction have the same `recorded_at`, and the earliest commit
among them is the one that recorded them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg

from bench.drain import DrainError
from llamalog_schemas.codec import decode_event
from llamalog_schemas.events import row_id
from llamalog_tools.demo.messages import Kind, SampleMessage

_COMMITTED = """
    SELECT id, extract(epoch FROM min(pg_xact_commit_timestamp(xmin)) OVER same)::double precision AS at,
           min(revision) OVER same > 1 AS corrected
    FROM llama_logs
    WINDOW same AS (PARTITION BY recorded_at)
"""


class Committed(NamedTuple):
    """When the rows were committed, by the clock on the wall.

    Attributes:
        later: rows of transactions all of whose rows were corrected: the time is that of a correction.
    """

    times: dict[UUID, float]
    later: int


class Delay(NamedTuple):
    """Of one event, in seconds since the measured part began and since it was sent."""

    sent: float
    row: float
    provenance: float


async def committed_rows(database: asyncpg.Connection) -> Committed:
    """The commits of all rows of the table.

    Raises:
        DrainError: PostgreSQL does not know the time of every commit.
    """
    records = await database.fetch(_COMMITTED)
    if any(record["at"] is None for record in records):
        raise DrainError("PostgreSQL has not kept the time of every commit.")
    return Committed(
        {record["id"]: record["at"] for record in records},
        sum(record["corrected"] for record in records),
    )


def delays(
    messages: Sequence[SampleMessage],
    sent: Sequence[float],
    committed: Mapping[UUID, float],
    arrived: Mapping[UUID, float],
    skipped: float,
) -> Iterator[Delay]:
    """The delays of every event that was sent after the first seconds.

    A duplicate comes after its original and a bad message becomes no row: neither is counted. Nor is an event
    without a row or a record, which the comparison with the fold names.

    Args:
        messages: in the order in which they were sent.
        sent: when each of them was.
        committed: when the rows were committed.
        arrived: when the records of the rows arrived.
        skipped: how many seconds at the beginning do not count.
    """
    began = sent[0] + skipped
    for message, at in zip(messages, sent, strict=True):
        if message.kind is Kind.EVENT and at >= began:
            row = row_id(decode_event(message.value, message.headers))
            if row in committed and row in arrived:
                yield Delay(at - began, committed[row] - at, arrived[row] - at)
