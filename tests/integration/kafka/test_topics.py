"""Topics on a real broker: they are created once, and those that stand are judged by their settings."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from llamalog_service.kafka.reader import existing_topics
from llamalog_service.kafka.topic_checks import Finding, Level, check_topics
from llamalog_service.kafka.topics import Topics, TopicsNotCreatedError, TopicSpec, create_topics, topics

pytestmark = pytest.mark.apache_kafka


@pytest.fixture
async def admin(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def wanted(admin: AIOKafkaAdminClient) -> AsyncIterator[Topics]:
    """Topics under a prefix of the test's own; none stands yet."""
    mine = topics(f"test-{uuid4().hex}.")
    yield mine
    existing = await existing_topics(admin)
    await admin.delete_topics([spec.name for spec in mine if spec.name in existing])


async def create_otherwise(admin: AIOKafkaAdminClient, spec: TopicSpec, **settings: str) -> None:
    """Create a topic as llamalog would, apart from some settings (dots written as underscores)."""
    config = {**spec.config, **{name.replace("_", "."): value for name, value in settings.items()}}
    answer = await admin.create_topics([NewTopic(spec.name, 1, 1, topic_configs=config)])
    assert [code for _, code, _ in answer.topic_errors] == [0]


async def findings_with(
    admin: AIOKafkaAdminClient, wanted: Topics, spec: TopicSpec, **settings: str
) -> list[Finding]:
    """What is found where one topic stood with other settings before the rest was created."""
    await create_otherwise(admin, spec, **settings)
    await create_topics(admin, wanted)
    return await check_topics(admin, wanted)


async def test_topics_are_created_once_and_kept_from_then_on(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    first = await create_topics(admin, wanted, replication_factor=1)
    assert {outcome.name: outcome.created for outcome in first} == {spec.name: True for spec in wanted}
    again = await create_topics(admin, wanted)
    assert {outcome.name: outcome.created for outcome in again} == {spec.name: False for spec in wanted}


async def test_topics_that_llamalog_created_have_their_partitions_and_no_findings(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    await create_topics(admin, wanted)
    existing = await existing_topics(admin)
    assert [len(existing[spec.name]) for spec in wanted] == [6, 1, 6, 3, 1, 1]
    assert await check_topics(admin, wanted) == []


async def test_a_missing_topic_is_an_error_that_says_how_to_create_it(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    await create_topics(admin, wanted)
    misnamed = replace(wanted.provenance, name=f"{wanted.provenance.name}-of-others")
    (finding,) = await check_topics(admin, replace(wanted, provenance=misnamed))
    assert (finding.level, finding.topic) == (Level.ERROR, misnamed.name)
    assert "llamalog topics create" in str(finding)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("retention_ms", "604800000"), ("retention_bytes", "1000000"), ("cleanup_policy", "compact,delete")],
)
@pytest.mark.parametrize("of", ["entity_events", "overrides"])
async def test_events_and_overrides_that_do_not_last_for_ever_are_refused(
    admin: AIOKafkaAdminClient, wanted: Topics, of: str, setting: str, value: str
) -> None:
    spec = getattr(wanted, of)
    (finding,) = await findings_with(admin, wanted, spec, **{setting: value})
    assert (finding.level, finding.topic) == (Level.ERROR, spec.name)
    assert f"{setting.replace('_', '.')}={value}" in finding.wrong
    assert "can never be rebuilt" in finding.means


@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
async def test_provenance_that_is_not_compacted_alone_is_a_warning(
    admin: AIOKafkaAdminClient, wanted: Topics, policy: str
) -> None:
    (finding,) = await findings_with(admin, wanted, wanted.provenance, cleanup_policy=policy)
    assert (finding.level, finding.topic) == (Level.WARNING, wanted.provenance.name)
    assert f"cleanup.policy={policy}" in finding.wrong


async def test_dead_letters_no_larger_than_their_source_are_an_error(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    (finding,) = await findings_with(admin, wanted, wanted.dead_letters, max_message_bytes="1048588")
    assert (finding.level, finding.topic) == (Level.ERROR, wanted.dead_letters.name)
    assert "up to 1048588 bytes" in finding.wrong


async def test_entity_events_larger_than_dead_letters_are_an_error_of_the_dead_letters(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    (finding,) = await findings_with(admin, wanted, wanted.entity_events, max_message_bytes="4000000")
    assert (finding.level, finding.topic) == (Level.ERROR, wanted.dead_letters.name)
    assert "4065536 or more" in finding.do


async def test_a_topic_too_narrow_for_a_valid_event_is_an_error(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    (finding,) = await findings_with(admin, wanted, wanted.entity_events, max_message_bytes="100000")
    assert (finding.level, finding.topic) == (Level.ERROR, wanted.entity_events.name)


async def test_dead_letters_that_are_compacted_are_an_error(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    (finding,) = await findings_with(admin, wanted, wanted.dead_letters, cleanup_policy="compact")
    assert (finding.level, finding.topic) == (Level.ERROR, wanted.dead_letters.name)


async def test_commands_kept_for_a_shorter_time_are_a_warning(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    (finding,) = await findings_with(admin, wanted, wanted.backfill_commands, retention_ms="43200000")
    assert (finding.level, finding.topic) == (Level.WARNING, wanted.backfill_commands.name)
    assert "0.5 days rather than 7" in finding.wrong


async def test_a_refusal_of_the_broker_names_each_topic_and_its_reason(
    admin: AIOKafkaAdminClient, wanted: Topics
) -> None:
    with pytest.raises(TopicsNotCreatedError, match="replication factor") as raised:
        await create_topics(admin, wanted, replication_factor=99)
    assert set(raised.value.refusals) == {spec.name for spec in wanted}
