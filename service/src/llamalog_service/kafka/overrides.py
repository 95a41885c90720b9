"""Operators' overrides, among the events that they are about."""

from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.events import RootOverrideEvent
from llamalog_schemas.keys import lineage_key
from llamalog_service.kafka.producer import MessageProducer, OutgoingMessage


async def publish_override(publisher: MessageProducer, topic: str, override: RootOverrideEvent) -> None:
    """Publish an override; once it is acknowledged it is part of the log.

    Raises:
        UnavailableError: it was not acknowledged; publishing the same one again is safe.
    """
    message = OutgoingMessage(lineage_key(override), encode(override), STRUCTURED_HEADERS)
    await publisher.send(topic, [message])
