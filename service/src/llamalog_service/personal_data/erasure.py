"""The erasure of a person: counted by place first, then ordered over the topic of overrides."""

import re
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from msgspec import Struct

from llamalog_schemas.codec import decode_event, encode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import UserErased, UserErasedData, user_digest
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.dead_letters import DeadLetterReader
from llamalog_service.kafka.publisher import OpenPublisher
from llamalog_service.personal_data.access import dead_letters_about
from llamalog_service.postgres.reader import Reader
from llamalog_service.retry import retry_until_available

NOT_REACHED: Final = (
    "the topic of entity events (llamalog topics rewrite)",
    "dead letters (llamalog topics rewrite --topic dead-letters, or their retention)",
    "archives and files of differences (llamalog erase-files)",
    "backups, and copies that other services made",
)
"""The places that an erasure leaves to commands of their own, or to their owners."""


class ErasureInvalidError(LlamalogError):
    """The requested erasure breaks the contract."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"That is no erasure: {sentence}. Nothing was published.")


class ErasureReport(Struct, frozen=True, kw_only=True, rename="camel"):
    """The result of an erasure: counts by place, and the event that orders it.

    Attributes:
        rows: rows of the log with the person's id.
        removed_rows: rows that a repair removed, likewise.
        dead_letters: refused messages that name the person, which another command covers.
        metadata_keys: the keys that are removed from the metadata of the person's rows, by the setting.
        not_reached: places that need commands of their own.
        erasure: the event that was published in the topic of overrides; null of a dry run.
    """

    rows: int
    removed_rows: int
    dead_letters: int
    metadata_keys: tuple[str, ...]
    not_reached: tuple[str, ...]
    erasure: UserErased | None


async def plan_erasure(
    reader: Reader, dead_letters: DeadLetterReader, user: str, *, metadata_keys: tuple[str, ...]
) -> ErasureReport:
    """Count what is stored about a person, and change nothing.

    Raises:
        TopicAbsentError: there is no topic of dead letters.
        UnavailableError: PostgreSQL or Kafka does not answer.
    """
    (counts,) = await reader.rows("rows_of_user_counts", user)
    async with aclosing(dead_letters_about(user, dead_letters)) as about:
        letters = len([None async for _ in about])
    return ErasureReport(
        rows=counts["rows"],
        removed_rows=counts["removed_rows"],
        dead_letters=letters,
        metadata_keys=metadata_keys,
        not_reached=NOT_REACHED,
        erasure=None,
    )


async def order_erasure(
    open_publisher: OpenPublisher,
    user: str,
    *,
    metadata_keys: tuple[str, ...],
    source: str,
    reason: str,
    requested_by: str,
    timeout: float,
) -> UserErased:
    """Publish the erasure of a person, which counts for all events, past and to come; it is never revoked.

    A person of whom nothing is stored may be erased, too: events may still come.

    Args:
        source: the CloudEvents source, by what requested it.
        timeout: seconds to wait for Kafka.

    Raises:
        ErasureInvalidError: the contract refuses it, or it gives no reason.
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    digest = user_digest(user)
    erasure = UserErased(
        id=str(uuid4()),
        source=source,
        time=datetime.now(UTC),
        specversion="1.0",
        subject=digest,
        data=UserErasedData(
            user_digest=digest, metadata_keys=metadata_keys, reason=reason, requested_by=requested_by
        ),
    )
    if not user:
        raise ErasureInvalidError("it names no person")
    if not reason.strip():
        raise ErasureInvalidError("it gives no reason")
    if re.search(rf"(?<!\w){re.escape(user)}(?!\w)", reason):
        raise ErasureInvalidError("its reason, which is kept for ever, holds the id that is to be erased")
    try:
        decode_event(encode(erasure))
    except InvalidMessageError as invalid:
        raise ErasureInvalidError(invalid.sentence) from invalid
    async with open_publisher() as publisher:
        await retry_until_available(
            lambda: publisher.publish_override(erasure), doing="publishing the erasure", timeout=timeout
        )
    return erasure
