"""A topic rewritten without the data of erased persons: copied into a new one, verified, and moved to it."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.kafka.groups import GroupOfTopic
from llamalog_service.kafka.topic_copy import OnProgress, TopicCopy
from llamalog_service.kafka.topics import names_former_topic, topics_of
from llamalog_service.log.topic_moves import GroupPositions
from llamalog_service.settings import ENTITY_EVENTS, Settings

RewritableTopic = Literal["entity-events", "dead-letters"]

_POLL_SECONDS: Final = 0.5
_NUMBERED: Final = re.compile(r"-(\d+)$")


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


class TopicInUseError(LlamalogError):
    """Consumers read the topic that is to be moved."""

    def __init__(self, topic: str, groups: Mapping[str, int]) -> None:
        named = ", ".join(f"{group} ({members})" for group, members in sorted(groups.items()))
        super().__init__(
            f"Groups that read {topic} have consumers: {named}. Nothing was moved; what was copied is kept. "
            "Stop these consumers, and run the same command again."
        )


class TopicStillWrittenError(LlamalogError):
    """Messages have come into the topic while its copy was verified."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"Messages came to {topic} while its copy was verified: producers still write to it. Nothing was "
            "moved; what was copied is kept. Stop the producers, or point them to the new topic once it is "
            "moved, and run the same command again."
        )


class RewriteNames(NamedTuple):
    """The names of a rewrite: of the topic in the settings, of its source, of its target."""

    configured: str
    source: str
    target: str


def next_name(source: str) -> str:
    """The name of a rewritten topic, by that of its source."""
    found = _NUMBERED.search(source)
    return f"{source}-2" if found is None else f"{source[: found.start()]}-{int(found[1]) + 1}"


def names_of_rewrite(
    settings: Settings, topic: RewritableTopic, source: str | None, target: str | None
) -> RewriteNames:
    """The names of a rewrite: those requested, else those that follow from the settings.

    Args:
        source: the topic's name; None: the one in the settings.
        target: the new name; None: that of the source with the next number, or, if the settings name
            another topic than the source by now, that one.

    Raises:
        EmbeddedBrokerError: the broker knows of no transactions.
        NoSuchTargetError: both are not names of one topic.
    """
    if not settings.kafka_durable:
        raise EmbeddedBrokerError
    names = topics_of(settings)
    configured = names.entity_events.name if topic == ENTITY_EVENTS else names.dead_letters.name
    source = source or configured
    target = target or (next_name(source) if source == configured else configured)
    is_of_family = source == configured or names_former_topic(configured, source)
    if not is_of_family or not names_former_topic(source, target):
        raise NoSuchTargetError(source, target)
    return RewriteNames(configured, source, target)


class RewriteReport(Struct, frozen=True, rename="camel", kw_only=True):
    """The report of a rewrite.

    Attributes:
        copied: messages that this call has copied.
        records, changed, digest: as of `VerifiedCopy`; None before the move.
        moved: whether positions and groups are those of the new topic by now.
        groups: those whose committed offsets were translated.
    """

    source: str
    target: str
    copied: int
    records: int | None = None
    changed: int | None = None
    digest: str | None = None
    moved: bool = False
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions in a topic, in the table and in Kafka, and how they are moved.

    Attributes:
        recorded: those of the table.
        groups: the consumer groups that have committed offsets of the source, and the service's own.
        commit: commits offsets of the target for a group; false: the group has consumers.
        move: replaces those of the table, if they are still the first ones, by the second ones.
        is_moved: whether the table has positions in the target, and none in the source.
    """

    recorded: Callable[[], Awaitable[GroupPositions]]
    groups: Callable[[], Awaitable[Mapping[str, GroupOfTopic]]]
    commit: Callable[[str, Mapping[int, int]], Awaitable[bool]]
    move: Callable[[GroupPositions, GroupPositions], Awaitable[None]]
    is_moved: Callable[[], Awaitable[bool]]


class TopicRewrite:
    """The rewrite of one topic into another.

    Args:
        own_groups: the beginning of the names of groups that keep how far copies are.
        leave_within: seconds; a consumer that was killed counts as a member up to the end of its session.
    """

    def __init__(
        self,
        copy: TopicCopy,
        positions: Positions,
        *,
        source: str,
        target: str,
        own_groups: str,
        on_progress: OnProgress,
        leave_within: float,
    ) -> None:
        self._copy = copy
        self._positions = positions
        self._source = source
        self._target = target
        self._own_groups = own_groups
        self._on_progress = on_progress
        self._leave_within = leave_within

    async def copy(self) -> RewriteReport:
        """Copy what is not copied yet; consumers and producers go on meanwhile.

        Raises:
            LlamalogError: as of `TopicCopy`.
        """
        await self._copy.create()
        return RewriteReport(
            source=self._source, target=self._target, copied=await self._copy.run(self._on_progress)
        )

    async def move(self) -> RewriteReport:
        """Copy the rest, verify the copy, and translate all positions to it.

        Once a topic is moved, it copies what producers have written to the old one since.

        Raises:
            TopicInUseError: consumers read the source.
            TopicStillWrittenError: producers write to the source.
            CopyDiffersError: the copy is not as it has to be.
            LlamalogError: as of `TopicCopy`.
        """
        if await self._positions.is_moved():
            report = await self.copy()
            return RewriteReport(source=self._source, target=self._target, copied=report.copied, moved=True)
        await self._require_no_consumers()
        report = await self.copy()
        recorded, groups = await self._positions.recorded(), await self._groups()
        wanted: dict[int, set[int]] = defaultdict(set)
        for (_, partition), offset in recorded.items():
            wanted[partition].add(offset)
        for group in groups.values():
            for partition, offset in group.offsets.items():
                wanted[partition].add(offset)
        verified = await self._copy.verify(wanted, self._on_progress)
        if not await self._copy.is_complete():
            raise TopicStillWrittenError(self._source)
        await self._require_no_consumers()
        for name, group in groups.items():
            offsets = {at: verified.offsets[at, offset] for at, offset in group.offsets.items()}
            if offsets and not await self._positions.commit(name, offsets):
                raise TopicInUseError(self._source, {name: group.members})
        await self._positions.move(
            recorded, {(group, at): verified.offsets[at, offset] for (group, at), offset in recorded.items()}
        )
        return RewriteReport(
            source=self._source,
            target=self._target,
            copied=report.copied,
            records=verified.records,
            changed=verified.changed,
            digest=verified.digest,
            moved=True,
            groups=tuple(sorted(groups)),
        )

    async def _groups(self) -> dict[str, GroupOfTopic]:
        found = await self._positions.groups()
        return {name: group for name, group in found.items() if not name.startswith(self._own_groups)}

    async def _require_no_consumers(self) -> None:
        deadline = asyncio.get_running_loop().time() + self._leave_within
        while active := {name: one.members for name, one in (await self._groups()).items() if one.members}:
            if asyncio.get_running_loop().time() > deadline:
                raise TopicInUseError(self._source, active)
            self._on_progress(("waiting for consumers to leave", 0, None))
            await asyncio.sleep(_POLL_SECONDS)
