"""Clients for replaying and correcting dead letters."""

from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from uuid import UUID

from llamalog_service.backfill.retractions import RowUnknownError, retract_event
from llamalog_service.dead_letters.correction import (
    CORRECTED,
    Correction,
    Document,
    correction_of,
    find_dead_letter,
    send_correction,
)
from llamalog_service.dead_letters.policy import ReplayPolicy
from llamalog_service.dead_letters.replay import Progress, ReplayStats, replay
from llamalog_service.dead_letters.selection import DeadLetterSelection
from llamalog_service.domain.overrides import RetractionVoidError
from llamalog_service.kafka.clients import MessageToSend, open_producer
from llamalog_service.kafka.dead_letters import DeadLetterPosition, DeadLetterReader, StoredDeadLetter
from llamalog_service.kafka.erasing import read_erasures
from llamalog_service.kafka.publisher import MessageProducer, open_publisher
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.kafka.topics import topics_of
from llamalog_service.postgres.reader import Reader
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings


async def replay_dead_letters(
    settings: Settings,
    selection: DeadLetterSelection,
    *,
    after: DeadLetterPosition | None,
    even_if_invalid: bool,
    dry_run: bool,
    stats: ReplayStats,
    progress: Progress,
    timeout: float,
) -> None:
    """Send dead letters back; arguments and errors as of `dead_letters.replay.replay`.

    Args:
        even_if_invalid: as for `ReplayPolicy`.
        dry_run: decide and count, and send nothing.

    Raises:
        TopicsUnfitError: the topics are not as they have to be.
    """
    await require_fit_topics(settings, timeout=timeout)
    async with AsyncExitStack() as stack:
        producer = None
        if not dry_run:
            client = await stack.enter_async_context(open_producer(settings, timeout=timeout))
            producer = MessageProducer(client)
        await replay(
            DeadLetterReader(settings, partial(read_erasures, settings)),
            producer,
            ReplayPolicy(topics_of(settings), even_if_invalid=even_if_invalid),
            selection,
            after=after,
            stats=stats,
            progress=progress,
            timeout=timeout,
        )


async def correct_dead_letter(
    settings: Settings,
    reader: Reader,
    position: DeadLetterPosition,
    change: Callable[[StoredDeadLetter], Document],
    *,
    source: str,
    reason: str | None,
    requested_by: str,
    dry_run: bool,
    timeout: float,
) -> Correction:
    """Correct a dead letter: take back the row in its way, and send the right event.

    Args:
        reader: of the log.
        change: the right event, by the dead letter.
        source: the CloudEvents source of a retraction.
        reason: of a retraction; None: that it corrects this dead letter.
        dry_run: check, and send nothing.
        timeout: seconds to wait for Kafka.

    Raises:
        DeadLetterNotFoundError: there is none at this position.
        CorrectionInvalidError: the contract refuses the event.
        LlamalogError: the topics are unfit, or a server is away; repeating is safe.
    """
    found = await find_dead_letter(DeadLetterReader(settings, partial(read_erasures, settings)), position)
    correction = correction_of(found, change(found))
    if dry_run:
        return correction
    await require_fit_topics(settings, timeout=timeout)
    why = reason or CORRECTED.format(came_from=found.came_from)

    async def retract(row: UUID) -> None:
        with suppress(RetractionVoidError, RowUnknownError):
            await retract_event(
                reader,
                partial(open_publisher, settings, source, timeout=timeout),
                row,
                source=source,
                retracted=True,
                reason=why,
                requested_by=requested_by,
                timeout=timeout,
            )

    async with open_producer(settings, timeout=timeout) as client:
        events = topics_of(settings).entity_events.name
        producer = MessageProducer(client)

        async def send(message: MessageToSend) -> None:
            await retry_until_available(
                lambda: producer.send(events, [message]), doing="sending a corrected event", timeout=timeout
            )

        await send_correction(correction, retract=retract, send=send)
    return correction
