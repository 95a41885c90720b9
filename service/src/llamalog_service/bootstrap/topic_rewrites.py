"""Composition of the rewrite of a topic."""

from collections.abc import Mapping
from functools import partial

from llamalog_service.kafka.dead_letters import erase_dead_letter
from llamalog_service.kafka.erasing import MessageEraser, read_erasures
from llamalog_service.kafka.groups import groups_of_topic
from llamalog_service.kafka.reader import commit_if_behind
from llamalog_service.kafka.topic_copy import REWRITE_PREFIX, OnProgress, TopicCopy
from llamalog_service.log.topic_moves import move_positions, positions_of_topic
from llamalog_service.personal_data.topic_rewrite import (
    Positions,
    RewritableTopic,
    RewriteReport,
    TopicRewrite,
    names_of_rewrite,
)
from llamalog_service.postgres.database_checks import require_fit_database
from llamalog_service.postgres.locks import RebuildInProgressError, RebuildLock
from llamalog_service.postgres.pool import open_pool
from llamalog_service.settings import DEAD_LETTERS, ENTITY_EVENTS, Settings

_LEAVE_SECONDS = 5.0


async def rewrite_topic(
    settings: Settings,
    on_progress: OnProgress,
    *,
    topic: RewritableTopic,
    source: str | None = None,
    target: str | None = None,
    move: bool = False,
) -> RewriteReport:
    """Copy a topic without the data of erased persons, and move to the copy if requested.

    Args:
        source: the topic's name, if the settings name another one by now.
        target: the new topic's name; None: that of the source with the next number.

    Raises:
        LlamalogError: as of `names_of_rewrite` and `TopicRewrite`; or a rebuild reads the topic.
    """
    named, source, target = names_of_rewrite(settings, topic, source, target)
    await require_fit_database(settings)
    async with open_pool(settings, name="llamalog topics rewrite", most=2) as pool:
        eraser = MessageEraser(await read_erasures(settings))
        change = eraser.record if topic == ENTITY_EVENTS else partial(erase_dead_letter, eraser)
        own = (settings.consumer_group, *((settings.migration_group,) if topic == DEAD_LETTERS else ()))

        async def commit(group: str, offsets: Mapping[int, int]) -> bool:
            return await commit_if_behind(
                settings, group, {(target, partition): offset for partition, offset in offsets.items()}
            )

        async def is_moved() -> bool:
            if named == target:
                return True
            return bool(await positions_of_topic(pool, target)) and not await positions_of_topic(pool, source)

        rewrite = TopicRewrite(
            TopicCopy(settings, source, target, change),
            Positions(
                recorded=partial(positions_of_topic, pool, source),
                groups=partial(groups_of_topic, settings, source, always=own),
                commit=commit,
                move=partial(move_positions, pool, source, target),
                is_moved=is_moved,
            ),
            source=source,
            target=target,
            own_groups=REWRITE_PREFIX,
            on_progress=on_progress,
            leave_within=settings.session_seconds + _LEAVE_SECONDS,
        )
        if not move:
            return await rewrite.copy()
        lock = RebuildLock(pool)
        async with lock.attempt() as is_held:
            if not is_held:
                raise RebuildInProgressError(
                    await lock.other_holder(),
                    "It reads the topic: nothing was moved; what was copied is kept. Wait for its end, and "
                    "run the same command again.",
                )
            return await rewrite.move()
