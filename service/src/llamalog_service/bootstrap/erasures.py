"""Composition of the erasure of a person: counted in PostgreSQL and Kafka, ordered over Kafka."""

from functools import partial

from msgspec.structs import replace

from llamalog_service.bootstrap import open_fit_publisher
from llamalog_service.kafka.dead_letters import DeadLetterReader
from llamalog_service.personal_data.erasure import ErasureReport, order_erasure, plan_erasure
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.settings import Settings


async def erase_user(
    settings: Settings,
    user: str,
    *,
    reason: str,
    requested_by: str,
    source: str,
    timeout: float,
    is_dry_run: bool,
    reader: Reader | None = None,
) -> ErasureReport:
    """Count what is stored about a person, and, unless it is a dry run, order its erasure.

    Args:
        reader: over a pool that is open; None: over one of its own.

    Raises:
        LlamalogError: as of `plan_erasure` and `order_erasure`.
    """
    if reader is None:
        async with open_pool(settings, name="llamalog erase", only_reads=True) as pool:
            return await erase_user(
                settings,
                user,
                reason=reason,
                requested_by=requested_by,
                source=source,
                timeout=timeout,
                is_dry_run=is_dry_run,
                reader=Reader(pool),
            )
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
