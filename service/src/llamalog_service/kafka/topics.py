"""The six topics of llamalog: names, partitions, configuration, and their creation."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.reader import existing_topics
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import DEAD_LETTERS, ENTITY_EVENTS, Settings

DEFAULT_PREFIX: Final = "llamalog."
BROKER_DEFAULT: Final = -1
"""As a replication factor: the broker's own default."""

MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""The largest batch of any topic that is dead-lettered from; close to the broker's own default."""

DEAD_LETTER_BYTES: Final = 2 * MAX_MESSAGE_BYTES
"""The largest dead letter; a message that came compressed may be larger, and is cut."""

_OVERRIDES: Final = "overrides"
_VISIBLE_WITHIN_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05


_KEPT_FOR_EVER: Final = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it is created: its full name, partitions and configuration."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Topics:
    """The six topics; iterating gives them in the order in which data flows."""

    entity_events: TopicSpec
    overrides: TopicSpec
    provenance: TopicSpec
    backfill_commands: TopicSpec
    backfill_events: TopicSpec
    dead_letters: TopicSpec

    def __iter__(self) -> Iterator[TopicSpec]:
        yield self.entity_events
        yield self.overrides
        yield self.provenance
        yield self.backfill_commands
        yield self.backfill_events
        yield self.dead_letters


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    """A topic that was created, or existed already."""

    name: str
    created: bool


class TopicsNotCreatedError(LlamalogError):
    """The broker refused to create topics; the others of the same request were created."""

    def __init__(self, refusals: dict[str, str]) -> None:
        reasons = "; ".join(f"{topic}: {reason}" for topic, reason in refusals.items())
        super().__init__(
            f"Kafka did not create {len(refusals)} of the topics ({reasons}). The others exist. "
            "Remove the cause and create the topics again: existing ones are kept as they are."
        )
        self.refusals = refusals


def topics(prefix: str = DEFAULT_PREFIX, *, partitions: int = 6) -> Topics:
    """The topics under a prefix.

    Args:
        prefix: of every name, its separator included.
        partitions: of entity events and of provenance, which bear the traffic.
    """
    return Topics(
        entity_events=TopicSpec(f"{prefix}{ENTITY_EVENTS}", partitions, _KEPT_FOR_EVER),
        overrides=TopicSpec(f"{prefix}{_OVERRIDES}", 1, _KEPT_FOR_EVER),
        provenance=TopicSpec(f"{prefix}provenance", partitions, {"cleanup.policy": "compact"}),
        backfill_commands=TopicSpec(
            f"{prefix}backfill-commands",
            3,
            {
                "cleanup.policy": "delete",
                "retention.ms": _milliseconds(timedelta(days=7)),
                "max.message.bytes": str(MAX_MESSAGE_BYTES),
            },
        ),
        backfill_events=TopicSpec(
            f"{prefix}backfill-events",
            1,
            {"cleanup.policy": "delete", "retention.ms": _milliseconds(timedelta(days=7))},
        ),
        dead_letters=TopicSpec(
            f"{prefix}{DEAD_LETTERS}",
            1,
            {
                "cleanup.policy": "delete",
                "retention.ms": _milliseconds(timedelta(days=28)),
                "max.message.bytes": str(DEAD_LETTER_BYTES),
            },
        ),
    )


def topics_of(settings: Settings) -> Topics:
    """The topics of an installation, also where `llamalog topics rewrite` has moved one."""
    usual = topics(settings.topic_prefix)
    return replace(
        usual,
        entity_events=_renamed(usual.entity_events, settings.entity_events_topic),
        dead_letters=_renamed(usual.dead_letters, settings.dead_letters_topic),
    )


def _renamed(spec: TopicSpec, name: str | None) -> TopicSpec:
    return spec if name is None else replace(spec, name=name)


def names_former_topic(name: str, topic: str) -> bool:
    """Whether a topic is another one of the family of one that can be moved: it was moved, or is to be."""
    family = _family_of(name)
    return family is not None and topic != name and topic.startswith(family)


def was_moved(name: str) -> bool:
    """Whether a topic is one that `llamalog topics rewrite` has moved to, by its name."""
    return _family_of(name) not in {None, name}


def _family_of(name: str) -> str | None:
    """The usual name of a topic that can be moved, with which the names of its successors begin."""
    kind = next((kind for kind in (ENTITY_EVENTS, DEAD_LETTERS) if kind in name), None)
    return None if kind is None else name[: name.rindex(kind) + len(kind)]


@cache  # looked up for every event
def carries_overrides(topic: str) -> bool:
    """Whether a topic that the log is made of is that of overrides; of entity events else."""
    return topic.endswith(_OVERRIDES)


async def create_topics(
    admin: AIOKafkaAdminClient, wanted: Iterable[TopicSpec], *, replication_factor: int = BROKER_DEFAULT
) -> list[TopicOutcome]:
    """Create the topics that are missing, and wait until every one has leaders.

    Existing topics are kept as they are, with any configuration: `check_topics` checks those.

    Args:
        admin: a started client.
        wanted: the result of `topics`, or some of it.
        replication_factor: copies of every partition, or ``BROKER_DEFAULT``.

    Raises:
        TopicsNotCreatedError: the broker refused some of them.
    """
    new = [
        NewTopic(
            spec.name,
            spec.partitions,
            replication_factor,
            # The client takes -1 for "the assignments say it": empty ones leave it to the broker.
            replica_assignments={} if replication_factor == BROKER_DEFAULT else None,
            topic_configs=dict(spec.config),
        )
        for spec in wanted
    ]
    outcomes, refusals = [], {}
    for name, code, message in (await admin.create_topics(new)).topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            refusals[name] = message or for_code(code).__name__
        outcomes.append(TopicOutcome(name, created=code == 0))
    if refusals:
        raise TopicsNotCreatedError(refusals)
    await _wait_until_led(admin, wanted)
    return outcomes


async def create_missing_topics(settings: Settings, *, timeout: float | None = None) -> list[TopicOutcome]:
    """Create the topics that are missing; existing ones are kept as they are.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
        TopicsNotCreatedError: the broker refused some of them.
    """

    async def create() -> list[TopicOutcome]:
        async with open_admin(settings) as admin:
            return await create_topics(admin, topics_of(settings))

    return await retry_until_available(create, doing="creating the topics", timeout=timeout)


async def _wait_until_led(admin: AIOKafkaAdminClient, wanted: Iterable[TopicSpec]) -> None:
    """A client that fetches metadata before a new topic has leaders would not retry for a while."""
    deadline = asyncio.get_running_loop().time() + _VISIBLE_WITHIN_SECONDS
    while True:
        existing = await existing_topics(admin)
        leaderless = {
            spec.name: "no leader yet"
            for spec in wanted
            if not existing.get(spec.name)
            or any(partition["leader"] < 0 for partition in existing[spec.name])
        }
        if not leaderless:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise TopicsNotCreatedError(leaderless)
        await asyncio.sleep(_POLL_SECONDS)


def _milliseconds(span: timedelta) -> str:
    return str(span // timedelta(milliseconds=1))
