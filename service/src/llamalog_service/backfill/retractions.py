"""Retractions of events, by operators and producers: checked against the log, then published."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from llamalog_schemas.events import RetractionEvent
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.domain.overrides import RetractionVoidError, new_retraction
from llamalog_service.kafka.publisher import OpenPublisher
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.retractions import RetractableRow, read_retractable_row
from llamalog_service.retry import retry_until_available


class RowUnknownError(LlamalogError):
    """The event to be taken back is not in the log."""

    def __init__(self, row: UUID) -> None:
        super().__init__(
            f"There is no row {row} in the log. Nothing was published. An event that was sent a moment ago "
            "may still come; one whose id is no UUID has a row id of its own, which `llamalog logs` shows."
        )


class NotItsProducerError(LlamalogError):
    """A producer may take back its own events alone."""

    def __init__(self, row: UUID, producer: str, own: str | None) -> None:
        whose = f"is of {own}" if own is not None else "names no producer"
        super().__init__(
            f"The row {row} {whose}, and this token may take back events of {producer} alone. Nothing was "
            "published. Ask an operator, whose token has the scope admin."
        )


class PublishedRetraction(NamedTuple):
    """A published retraction, and the row as the log knew it before."""

    retraction: RetractionEvent
    row: RetractableRow


async def retract_event(
    reader: Reader,
    open_publisher: OpenPublisher,
    row: UUID,
    *,
    source: str,
    retracted: bool,
    reason: str,
    requested_by: str,
    timeout: float,
    producer: str | None = None,
    unseen: bool = False,
) -> PublishedRetraction:
    """Take back the event of a row, or revoke that.

    Args:
        open_publisher: called once the retraction is known to be of use.
        source: the CloudEvents source, by what requested it.
        timeout: seconds to wait for Kafka.
        producer: the only one whose events may be taken back; None: all.
        unseen: whether an event may be taken back that is not in the log.

    Raises:
        RowUnknownError: it is not in the log.
        NotItsProducerError: it is another producer's.
        RetractionVoidError: it would change nothing.
        OverrideInvalidError: the contract refuses it, or it gives no reason.
        LlamalogError: the topics are unfit, or PostgreSQL or Kafka is away.
    """
    found = await read_retractable_row(reader, row)
    if found.operation is None and not unseen:
        raise RowUnknownError(row)
    if producer is not None and found.producer != producer:
        raise NotItsProducerError(row, producer, found.producer)
    if retracted is (found.latest is not None and found.latest.retracted):
        raise RetractionVoidError(row, retracted=retracted)
    retraction = new_retraction(
        row,
        retracted=retracted,
        source=source,
        reason=reason,
        requested_by=requested_by,
        now=datetime.now(UTC),
        latest=None if found.latest is None else found.latest.at,
    )
    async with open_publisher() as publisher:
        await retry_until_available(
            lambda: publisher.publish_override(retraction), doing="publishing the retraction", timeout=timeout
        )
    return PublishedRetraction(retraction, found)
