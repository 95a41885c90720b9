"""Composition of the erasure of a person: counted in PostgreSQL and Kafka, ordered over Kafka."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from msgspec.structs import replace

from llamalog_service.bootstrap import open_fit_publisher
from llamalog_service.kafka.dead_letters import DeadLetterReader
from llamalog_service.personal_data.erasure import ErasureReport, order_erasure, plan_erasure
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.settings import DatabaseSettings, Settings


@asynccontextmanager
async def open_erasures(settings: DatabaseSettings) -> AsyncIterator[Reader]:
    """Reads of what is stored about a person, over a pool of its own."""
    async with open_pool(settings, name="llamalog erase", only_reads=True) as pool:
        yield Reader(pool)


async def erase_user(
    settings: Settings,
    reader: Reader,
    user: str,
    *,
    reason: str,
    requested_by: str,
    source: str,
    timeout: float,
    is_dry_run: bool,
) -> ErasureReport:
    """Count what is stored about a person, and, unless it is a dry run, order its erasure.

    Raises:
        LlamalogError: as of `plan_erasure` and `order_erasure`.
    """
    keys = settings.personal_metadata_keys()
    report = await plan_erasure(reader, DeadLetterReader(settings), user, metadata_keys=keys)
    if is_dry_run:
        return report
    erasure = await order_erasure(
        partial(open_fit_publisher, settings, source, timeout=timeout),
        user,
        metadata_keys=keys,
        source=source,
        reason=reason,
        requested_by=requested_by,
        timeout=timeout,
    )
    return replace(report, erasure=erasure)
