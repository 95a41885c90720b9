"""What is told of backfills: progress now and then, the end at least once."""

from datetime import UTC, datetime
from uuid import uuid4

from llamalog_schemas.backfills import (
    BACKFILL_SOURCE,
    BackfillEnded,
    BackfillEndedData,
    BackfillEvent,
    BackfillProgressed,
    BackfillProgressedData,
)
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_service.kafka.producer import MessageProducer, OutgoingMessage


async def publish_progress(publisher: MessageProducer, topic: str, data: BackfillProgressedData) -> None:
    """Tell how far a run is.

    Raises:
        UnavailableError: it was not acknowledged; the next progress says more.
    """
    event = BackfillProgressed(
        id=str(uuid4()), source=BACKFILL_SOURCE, time=datetime.now(UTC), specversion="1.0", data=data
    )
    await publisher.send(topic, [_message(event)])


async def publish_end(publisher: MessageProducer, topic: str, data: BackfillEndedData) -> None:
    """Tell how a run ended; told again, the event bears the same id.

    Raises:
        UnavailableError: it was not acknowledged; it has to be told again.
    """
    event = BackfillEnded(
        id=f"{data.run}/ended", source=BACKFILL_SOURCE, time=datetime.now(UTC), specversion="1.0", data=data
    )
    await publisher.send(topic, [_message(event)])


def _message(event: BackfillEvent) -> OutgoingMessage:
    return OutgoingMessage(str(event.data.run).encode(), encode(event), STRUCTURED_HEADERS)
