"""Composition of the rewrite of a topic."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Literal

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.kafka.dead_letters import erase_dead_letter
from llamalog_service.kafka.erasing import MessageEraser, read_erasures
from llamalog_service.kafka.groups import groups_of_topic
from llamalog_service.kafka.reader import commit_if_behind
from llamalog_service.kafka.topic_copy import REWRITE_PREFIX, OnProgress, TopicCopy
from llamalog_service.kafka.topics import names_former_topic, topics_of
from llamalog_service.log.topic_moves import move_positions, positions_of_topic
from llamalog_service.personal_data.topic_rewrite import Positions, RewriteReport, TopicRewrite
from llamalog_service.postgres.database_checks import require_fit_database
from llamalog_service.postgres.locks import RebuildLock
from llamalog_service.postgres.pool import open_pool
from llamalog_service.settings import DEAD_LETTERS, ENTITY_EVENTS, Settings

RewritableTopic = Literal["entity-events", "dead-letters"]

_LEAVE_SECONDS = 5.0
_NUMBERED = re.compile(r"-(\d+)$")


class EmbeddedBrokerError(LlamalogError):
    """The embedded broker knows of no transactions."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self) -> None:
        super().__init__(
            "A topic is rewritten in transactions, which the embedded broker does not know "
            "(LLAMALOG_KAFKA_DURABLE=false). Nothing was done. It needs an Apache Kafka."
        )


class NoSuchTargetError(LlamalogError):
    """A topic cannot be moved to a name of this form."""

    exit_code = ExitCode.SETTINGS

    def __init__(self, source: str, target: str) -> None:
        super().__init__(
            f"{source} cannot be moved to {target}: the name has to be another one, and to begin as its own. "
            f"Nothing was done. Without --to it is {next_name(source)}."
        )


class RebuildRunsError(LlamalogError):
    """A rebuild reads the topic that is to be moved."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"A rebuild is running ({holder}), which reads the topic. Nothing was moved; what was copied is "
            "kept. Wait for its end, and run the same command again."
        )


def next_name(source: str) -> str:
    """The name of a rewritten topic, by that of its source."""
    found = _NUMBERED.search(source)
    return f"{source}-2" if found is None else f"{source[: found.start()]}-{int(found[1]) + 1}"


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
        LlamalogError: as of `TopicRewrite`.
    """
    if not settings.kafka_durable:
        raise EmbeddedBrokerError
    names = topics_of(settings)
    named = names.entity_events.name if topic == ENTITY_EVENTS else names.dead_letters.name
    source = source or named
    target = target or (next_name(source) if source == named else named)
    if (not names_former_topic(named, source) and source != named) or not names_former_topic(source, target):
        raise NoSuchTargetError(source, target)
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
                raise RebuildRunsError(await lock.other_holder())
            return await rewrite.move()
