"""Clients for replaying dead letters."""

from contextlib import AsyncExitStack
from functools import partial

from llamalog_service.dead_letters.policy import ReplayPolicy
from llamalog_service.dead_letters.replay import Progress, ReplayStats, replay
from llamalog_service.dead_letters.selection import DeadLetterSelection
from llamalog_service.kafka.clients import open_producer
from llamalog_service.kafka.dead_letters import DeadLetterPosition, DeadLetterReader
from llamalog_service.kafka.erasing import read_erasures
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.kafka.topics import topics_of
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
