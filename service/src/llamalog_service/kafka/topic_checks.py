"""Whether the topics stand as llamalog needs them: what is wrong, what that means, what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from llamalog_schemas.limits import MAX_VALUE_BYTES
from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.errors import TopicsUnfitError
from llamalog_service.kafka.topics import DEAD_LETTER_BYTES, Topics, TopicSpec, existing_topics, topics
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

_log = structlog.get_logger("llamalog.topics")

FOR_EVER: Final = -1
HEADROOM_BYTES: Final = 64 * 1024
"""What key, headers and framing may add to a value: ours in a dead letter, the producer's in an event."""

TopicConfig = Mapping[str, str]
"""Kafka's settings of one topic, as far as the broker tells them."""


class Level(StrEnum):
    """How bad a finding is: with an ERROR the service does not start."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a topic that somebody should know."""

    level: Level
    topic: str
    wrong: str
    means: str
    do: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.wrong}. {self.means} {self.do}"


async def find_topic_faults(settings: Settings, *, timeout: float | None = None) -> list[Finding]:
    """What is wrong with the topics; empty where all is well.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """

    async def check() -> list[Finding]:
        async with open_admin(settings) as admin:
            return await check_topics(admin, topics(settings.topic_prefix))

    return await retry_until_available(check, doing="checking the topics", timeout=timeout)


async def require_fit_topics(settings: Settings, *, timeout: float | None = None) -> None:
    """Go on only with topics as they have to be; what is merely odd about them is logged.

    Raises:
        TopicsUnfitError: with what is wrong, what that means and what to do.
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """
    findings = await find_topic_faults(settings, timeout=timeout)
    errors = [finding for finding in findings if finding.level is Level.ERROR]
    if errors:
        raise TopicsUnfitError(errors)
    for finding in findings:
        tell = _log.warning if finding.level is Level.WARNING else _log.info
        tell("topic", finding=str(finding))


async def check_topics(admin: AIOKafkaAdminClient, wanted: Topics) -> list[Finding]:
    """What is wrong with the topics, the missing ones first; empty where all is well.

    Args:
        admin: a started client.
        wanted: what `topics` made.

    Raises:
        KafkaError: the broker can't be reached, or did not let us list its topics.
    """
    standing = await existing_topics(admin)
    missing = [spec for spec in wanted if spec.name not in standing]
    try:
        settings = await _settings(admin, [spec.name for spec in wanted if spec.name in standing])
    except KafkaError as error:
        settings = {}
        untold = [_could_not_be_checked(spec, f"the broker said {error!r}") for spec in wanted]
        return [_missing(spec) for spec in missing] + [item for item in untold if item.topic in standing]
    return [_missing(spec) for spec in missing] + judge(wanted, settings)


async def _settings(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, TopicConfig]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    told: dict[str, TopicConfig] = {}
    for response in await admin.describe_configs(asked) if asked else []:
        for code, _, _, name, entries in response.resources:
            told[name] = {} if code else {entry[0]: entry[1] for entry in entries}
    return told


def judge(wanted: Topics, settings: Mapping[str, TopicConfig]) -> list[Finding]:
    """The findings about topics that stand, given what the broker told of their settings."""
    rules = [
        (wanted.entity_events, _entity_events),
        (wanted.provenance, _provenance),
        (wanted.backfill_commands, _short_lived),
        (wanted.backfill_events, _short_lived),
        (wanted.dead_letters, _short_lived),
    ]
    findings: list[Finding] = []
    for spec, rule in rules:
        told = settings.get(spec.name)
        if told is None:
            continue
        findings += rule(spec, told)
        untold = sorted(name for name in spec.config if name not in told)
        if untold:
            findings.append(_could_not_be_checked(spec, f"the broker does not tell {', '.join(untold)}"))
    findings += _dead_letters_have_room(wanted, settings)
    return findings


def _entity_events(spec: TopicSpec, told: TopicConfig) -> Iterator[Finding]:
    lost = "The topic is the source of truth: what Kafka removes from it can never be rebuilt."
    if "compact" in told.get("cleanup.policy", ""):
        yield Finding(
            Level.ERROR,
            spec.name,
            f"it is compacted (cleanup.policy={told['cleanup.policy']})",
            f"{lost} Compaction keeps one event a lineage.",
            "Set cleanup.policy=delete, and see whether events are gone already.",
        )
    for name in ("retention.ms", "retention.bytes"):
        if int(told.get(name, FOR_EVER)) != FOR_EVER:
            yield Finding(
                Level.ERROR,
                spec.name,
                f"its retention is finite ({name}={told[name]})",
                lost,
                f"Set {name}=-1, and see whether events are gone already.",
            )
    yield from _holds_a_value(spec, told)


def _provenance(spec: TopicSpec, told: TopicConfig) -> Iterator[Finding]:
    policy = told.get("cleanup.policy", "compact")
    if policy != "compact":
        yield Finding(
            Level.WARNING,
            spec.name,
            f"it is not only compacted (cleanup.policy={policy})",
            "Records of rows that did not change for a while vanish: who reads from the start misses them.",
            "Set cleanup.policy=compact.",
        )
    yield from _holds_a_value(spec, told)


def _short_lived(spec: TopicSpec, told: TopicConfig) -> Iterator[Finding]:
    if "compact" in told.get("cleanup.policy", ""):
        yield Finding(
            Level.ERROR,
            spec.name,
            f"it is compacted (cleanup.policy={told['cleanup.policy']})",
            "A compacted topic refuses messages without a key and keeps one of those that share a key.",
            "Set cleanup.policy=delete.",
        )
    kept, intended = int(told.get("retention.ms", FOR_EVER)), int(spec.config["retention.ms"])
    if FOR_EVER != kept < intended:
        yield Finding(
            Level.WARNING,
            spec.name,
            f"it keeps messages for {_days(kept)} days rather than {_days(intended)}",
            "What nobody has read by then is gone.",
            f"Set retention.ms={intended}, if that is not on purpose.",
        )


def _holds_a_value(spec: TopicSpec, told: TopicConfig) -> Iterator[Finding]:
    needed = MAX_VALUE_BYTES + HEADROOM_BYTES
    if int(told.get("max.message.bytes", needed)) < needed:
        yield Finding(
            Level.ERROR,
            spec.name,
            f"it takes messages up to {told['max.message.bytes']} bytes only",
            f"The contract allows values of {MAX_VALUE_BYTES} bytes: valid ones would be refused.",
            f"Set max.message.bytes to {needed} or more.",
        )


def _dead_letters_have_room(wanted: Topics, settings: Mapping[str, TopicConfig]) -> Iterator[Finding]:
    sources = (wanted.entity_events, wanted.backfill_commands)
    told = [int(settings.get(spec.name, {}).get("max.message.bytes", 0)) for spec in sources]
    needed = max(DEAD_LETTER_BYTES, max(told) + HEADROOM_BYTES)
    room = settings.get(wanted.dead_letters.name, {}).get("max.message.bytes")
    if room is not None and int(room) < needed:
        yield Finding(
            Level.ERROR,
            wanted.dead_letters.name,
            f"it takes messages up to {room} bytes only, what is read may have {max(told)}",
            "A dead letter is its source with headers of ours: a large bad event would stop the stream.",
            f"Set max.message.bytes to {needed} or more.",
        )


def _missing(spec: TopicSpec) -> Finding:
    return Finding(
        Level.ERROR,
        spec.name,
        "the topic does not exist",
        "Nothing can be read from it or written to it.",
        "Create it with `llamalog topics create`, or correct the prefix.",
    )


def _could_not_be_checked(spec: TopicSpec, why: str) -> Finding:
    return Finding(
        Level.INFO,
        spec.name,
        f"it could not be checked: {why}",
        "It may not be kept as it should be.",
        "On a broker for trying things out that is harmless; elsewhere look at its settings.",
    )


def _days(milliseconds: int) -> str:
    return f"{milliseconds / 86_400_000:.3g}"
