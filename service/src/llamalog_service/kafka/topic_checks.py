"""Check the topics for what llamalog needs; a finding names the fault, its meaning and the cure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from llamalog_schemas.limits import MAX_VALUE_BYTES
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.reader import TopicConfig, existing_topics, topic_configs
from llamalog_service.kafka.topics import (
    DEAD_LETTER_BYTES,
    Topics,
    TopicSpec,
    names_former_topic,
    topics_of,
    was_moved,
)
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

_log = structlog.get_logger("llamalog.topics")

FOR_EVER: Final = -1
HEADROOM_BYTES: Final = 64 * 1024
"""Bytes that key, headers and framing may add to a value, in an event or in a dead letter."""


class TopicsUnfitError(LlamalogError):
    """Topics are missing or misconfigured: going on would lose events or stop the stream."""

    def __init__(self, findings: Sequence[object]) -> None:
        lines = "\n".join(f"  {finding}" for finding in findings)
        super().__init__(f"The topics are not as they have to be; nothing was read or written.\n{lines}")
        self.findings = tuple(findings)


class Level(StrEnum):
    """Severity of a finding: with an ERROR the service does not start."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a topic, what it means, and what to do."""

    level: Level
    topic: str
    wrong: str
    means: str
    do: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.wrong}. {self.means} {self.do}"


async def find_topic_faults(settings: Settings, *, timeout: float | None = None) -> list[Finding]:
    """The findings about the topics of an installation.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """

    async def check() -> list[Finding]:
        async with open_admin(settings) as admin:
            return await check_topics(admin, topics_of(settings))

    return await retry_until_available(check, doing="checking the topics", timeout=timeout)


async def require_fit_topics(settings: Settings, *, timeout: float | None = None) -> None:
    """Refuse topics that llamalog cannot work with; lesser findings are logged.

    Raises:
        TopicsUnfitError: with the findings.
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """
    findings = await find_topic_faults(settings, timeout=timeout)
    errors = [finding for finding in findings if finding.level is Level.ERROR]
    if errors:
        raise TopicsUnfitError(errors)
    for finding in findings:
        log = _log.warning if finding.level is Level.WARNING else _log.info
        log("topic", finding=str(finding))


async def check_topics(admin: AIOKafkaAdminClient, wanted: Topics) -> list[Finding]:
    """The findings about the topics, the missing ones first.

    Args:
        admin: a started client.
        wanted: the result of `topics`.

    Raises:
        KafkaError: the broker can't be reached, or did not let us list its topics.
    """
    existing = await existing_topics(admin)
    missing = [_missing(spec) for spec in wanted if spec.name not in existing]
    present = [spec for spec in wanted if spec.name in existing]
    try:
        configs = await topic_configs(admin, [spec.name for spec in present])
    except KafkaError as error:
        return missing + [_unchecked(spec, f"the broker answered {error!r}") for spec in present]
    former = [finding for spec in present for finding in _former(spec, existing)]
    return missing + check_configs(wanted, configs) + former


def check_configs(wanted: Topics, configs: Mapping[str, TopicConfig]) -> list[Finding]:
    """The findings about existing topics, given their configuration as the broker describes it."""
    rules = [
        (wanted.entity_events, _source_of_truth),
        (wanted.overrides, _source_of_truth),
        (wanted.provenance, _provenance),
        (wanted.backfill_commands, _short_lived),
        (wanted.backfill_events, _short_lived),
        (wanted.dead_letters, _short_lived),
    ]
    findings: list[Finding] = []
    for spec, rule in rules:
        config = configs.get(spec.name)
        if config is None:
            continue
        findings += rule(spec, config)
        unknown = sorted(name for name in spec.config if name not in config)
        if unknown:
            findings.append(_unchecked(spec, f"the broker does not return {', '.join(unknown)}"))
    findings += _dead_letters_have_room(wanted, configs)
    return findings


def _source_of_truth(spec: TopicSpec, config: TopicConfig) -> Iterator[Finding]:
    lost = "The topic is the source of truth: what Kafka removes from it can never be rebuilt."
    if "compact" in config.get("cleanup.policy", ""):
        yield Finding(
            Level.ERROR,
            spec.name,
            f"it is compacted (cleanup.policy={config['cleanup.policy']})",
            f"{lost} Compaction keeps one event a key.",
            "Set cleanup.policy=delete, and see whether events are gone already.",
        )
    for name in ("retention.ms", "retention.bytes"):
        if int(config.get(name, FOR_EVER)) != FOR_EVER:
            yield Finding(
                Level.ERROR,
                spec.name,
                f"its retention is finite ({name}={config[name]})",
                lost,
                f"Set {name}=-1, and see whether events are gone already.",
            )
    yield from _holds_a_value(spec, config)


def _provenance(spec: TopicSpec, config: TopicConfig) -> Iterator[Finding]:
    policy = config.get("cleanup.policy", "compact")
    if policy != "compact":
        yield Finding(
            Level.WARNING,
            spec.name,
            f"it is not only compacted (cleanup.policy={policy})",
            "Records of rows that did not change for a while vanish: who reads from the start misses them.",
            "Set cleanup.policy=compact.",
        )
    yield from _holds_a_value(spec, config)


def _short_lived(spec: TopicSpec, config: TopicConfig) -> Iterator[Finding]:
    if "compact" in config.get("cleanup.policy", ""):
        yield Finding(
            Level.ERROR,
            spec.name,
            f"it is compacted (cleanup.policy={config['cleanup.policy']})",
            "A compacted topic refuses messages without a key and keeps one of those that share a key.",
            "Set cleanup.policy=delete.",
        )
    kept, intended = int(config.get("retention.ms", FOR_EVER)), int(spec.config["retention.ms"])
    if FOR_EVER != kept < intended:
        yield Finding(
            Level.WARNING,
            spec.name,
            f"it keeps messages for {_days(kept)} days rather than {_days(intended)}",
            "What no consumer has read by then is gone.",
            f"Set retention.ms={intended}, if that is not on purpose.",
        )


def _holds_a_value(spec: TopicSpec, config: TopicConfig) -> Iterator[Finding]:
    needed = MAX_VALUE_BYTES + HEADROOM_BYTES
    if int(config.get("max.message.bytes", needed)) < needed:
        yield Finding(
            Level.ERROR,
            spec.name,
            f"it takes messages up to {config['max.message.bytes']} bytes only",
            f"The contract allows values of {MAX_VALUE_BYTES} bytes: valid ones would be refused.",
            f"Set max.message.bytes to {needed} or more.",
        )


def _dead_letters_have_room(wanted: Topics, configs: Mapping[str, TopicConfig]) -> Iterator[Finding]:
    sources = (wanted.entity_events, wanted.overrides, wanted.backfill_commands)
    limits = [int(configs.get(spec.name, {}).get("max.message.bytes", 0)) for spec in sources]
    needed = max(DEAD_LETTER_BYTES, max(limits) + HEADROOM_BYTES)
    room = configs.get(wanted.dead_letters.name, {}).get("max.message.bytes")
    if room is not None and int(room) < needed:
        yield Finding(
            Level.ERROR,
            wanted.dead_letters.name,
            f"it takes messages up to {room} bytes only, what is read may have {max(limits)}",
            "A dead letter is its source with headers of ours: a large bad event would stop the stream.",
            f"Set max.message.bytes to {needed} or more.",
        )


def _former(spec: TopicSpec, existing: Collection[str]) -> Iterator[Finding]:
    """The topics that a topic was moved from and that still exist."""
    if not was_moved(spec.name):
        return
    for name in sorted(existing):
        if names_former_topic(spec.name, name):
            yield Finding(
                Level.WARNING,
                name,
                f"it still exists, though {spec.name} has taken its place",
                "It holds the data of persons who were erased from the new one.",
                "Delete it once no producer writes to it, and no rewrite is to end there.",
            )


def _missing(spec: TopicSpec) -> Finding:
    return Finding(
        Level.ERROR,
        spec.name,
        "the topic does not exist",
        "Nothing can be read from it or written to it.",
        "Create it with `llamalog topics create`, or correct the prefix.",
    )


def _unchecked(spec: TopicSpec, why: str) -> Finding:
    return Finding(
        Level.INFO,
        spec.name,
        f"it could not be checked: {why}",
        "It may not be kept as it should be.",
        "On a broker for trying things out that is harmless; elsewhere look at its settings.",
    )


def _days(milliseconds: int) -> str:
    return f"{milliseconds / 86_400_000:.3g}"
