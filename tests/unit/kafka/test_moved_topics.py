"""The names of topics that can be moved: which belong together, and which settings may name."""

import pytest
from pydantic import SecretStr, ValidationError

from llamalog_service.bootstrap.topic_rewrites import next_name
from llamalog_service.kafka.topics import names_former_topic, topics_of, was_moved
from llamalog_service.settings import Settings


def settings(**more: str) -> Settings:
    return Settings(
        database_url=SecretStr("postgresql://u:p@h/d"),
        kafka="kafka:9092",
        _env_file=None,  # type: ignore[call-arg]
        **more,  # type: ignore[arg-type]
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
