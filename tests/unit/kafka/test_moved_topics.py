"""The names of topics that can be moved: which belong together, and which settings may name."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from histories import event
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_service.bootstrap.topic_rewrites import rewrite_topic
from llamalog_service.dead_letters.policy import ReplayOutcome, ReplayPolicy
from llamalog_service.kafka.dead_letters import Coordinates, DeadLetterPosition, StoredDeadLetter
from llamalog_service.kafka.topics import names_former_topic, topics_of, was_moved
from llamalog_service.personal_data.topic_rewrite import EmbeddedBrokerError, NoSuchTargetError, next_name
from llamalog_service.settings import Settings


def settings(**more: Any) -> Settings:
    return Settings(
        database_url=SecretStr("postgresql://u:p@h/d"),
        kafka="kafka:9092",
        _env_file=None,  # type: ignore[call-arg]
        **more,
    )


def test_a_setting_names_the_topic_in_place_of_the_usual_one() -> None:
    names = topics_of(settings(entity_events_topic="llamalog.entity-events-2"))
    assert names.entity_events.name == "llamalog.entity-events-2"
    assert names.entity_events.config == topics_of(settings()).entity_events.config
    assert names.dead_letters.name == "llamalog.dead-letters"
    assert topics_of(settings(dead_letters_topic="")).dead_letters.name == "llamalog.dead-letters"


@pytest.mark.parametrize("name", ["events", "llamalog.dead-letters-2", "other.entity-events"])
def test_a_name_that_does_not_begin_as_the_usual_one_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=r"has to begin with llamalog\.entity-events"):
        settings(entity_events_topic=name)


@pytest.mark.parametrize(
    ("name", "topic", "is_former"),
    [
        ("llamalog.entity-events", "llamalog.entity-events-2", True),
        ("llamalog.entity-events-3", "llamalog.entity-events", True),
        ("llamalog.entity-events", "llamalog.entity-events", False),
        ("llamalog.entity-events", "other.entity-events", False),
        ("llamalog.entity-events", "llamalog.dead-letters", False),
        ("llamalog.dead-letters-2", "llamalog.dead-letters", True),
        ("llamalog.overrides", "llamalog.overrides-2", False),
    ],
)
def test_topics_of_one_family_are_known_by_their_names(name: str, topic: str, *, is_former: bool) -> None:
    assert names_former_topic(name, topic) is is_former


def test_a_moved_topic_is_known_by_its_name() -> None:
    assert [was_moved(name) for name in ("a.entity-events", "a.entity-events-2", "a.overrides")] == [
        False,
        True,
        False,
    ]


def test_the_next_name_has_the_next_number() -> None:
    assert next_name("llamalog.entity-events") == "llamalog.entity-events-2"
    assert next_name("llamalog.entity-events-9") == "llamalog.entity-events-10"


def ignore(_: object) -> None:
    pass


async def test_the_embedded_broker_cannot_rewrite_a_topic() -> None:
    with pytest.raises(EmbeddedBrokerError, match="needs an Apache Kafka"):
        await rewrite_topic(settings(kafka_durable=False), ignore, topic="entity-events")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (None, "events"),
        (None, "llamalog.entity-events"),
        ("another", None),
        (None, "llamalog.dead-letters-2"),
    ],
)
async def test_a_topic_moves_only_to_another_name_of_its_family(
    source: str | None, target: str | None
) -> None:
    with pytest.raises(NoSuchTargetError, match="cannot be moved to"):
        await rewrite_topic(settings(), ignore, topic="entity-events", source=source, target=target)


@pytest.mark.parametrize(
    ("came_from", "outcome", "target"),
    [
        ("llamalog.entity-events", ReplayOutcome.SENT, "llamalog.entity-events-3"),
        ("llamalog.entity-events-2", ReplayOutcome.SENT, "llamalog.entity-events-3"),
        ("llamalog.entity-events-3", ReplayOutcome.SENT, "llamalog.entity-events-3"),
        ("other.entity-events", ReplayOutcome.ELSEWHERE, None),
        ("llamalog.provenance", ReplayOutcome.ELSEWHERE, None),
    ],
)
def test_a_dead_letter_of_a_former_topic_is_sent_to_the_one_of_today(
    came_from: str, outcome: ReplayOutcome, target: str | None
) -> None:
    policy = ReplayPolicy(
        topics_of(settings(entity_events_topic="llamalog.entity-events-3")), even_if_invalid=False
    )
    dead_letter = StoredDeadLetter(
        position=DeadLetterPosition(0, 0),
        kept_at=datetime(2026, 2, 10, tzinfo=UTC),
        came_from=Coordinates(came_from, 0, 7),
        reason="id-conflict",
        sentence="",
        producer=None,
        truncated=None,
        key=None,
        value=encode(event(1, "a")),
        headers=STRUCTURED_HEADERS,
    )
    assert policy.decide(dead_letter).outcome is outcome
    assert policy.target_of(came_from) == target
