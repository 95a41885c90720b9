"""Overrides and entity events in the topic of the other: refused with a reason, their neighbours recorded."""

import asyncpg

from harness.log_table import differences, stored_rows
from harness.rebuilding import Installation
from harness.writers import NAMES
from histories import event, override
from llamalog_schemas.codec import encode
from llamalog_service.kafka.clients import MessageToSend

CHILD, OTHER = event(1, "child", "lost"), event(2, "other")
ADOPTED = override(3, "lost")


def reasons(dead_letters: list[MessageToSend]) -> list[tuple[str, str]]:
    """The reason and the topic of each."""
    found = [{name: (content or b"").decode() for name, content in one.headers} for one in dead_letters]
    return [(headers["llamalog-reason"], headers["llamalog-topic"]) for headers in found]


async def test_an_override_that_a_producer_writes_has_no_effect(pool: asyncpg.Pool) -> None:
    installation = Installation(pool)
    installation.publish([CHILD], 0)
    installation.topic.append(ADOPTED)
    installation.topic.append(override(4, "lost", adopted=False))
    installation.publish([OTHER], 0)
    await installation.ingest_all()

    assert await pool.fetchval("SELECT count(*) FROM root_overrides") == 0
    assert differences(await stored_rows(pool), [CHILD, OTHER]) == []
    dead_letters = installation.kept.dead_letters
    assert reasons(dead_letters) == [("unauthorised-override", NAMES.entity_events.name)] * 2
    assert dead_letters[0].value == encode(ADOPTED)
    sentence = dict(dead_letters[0].headers)["llamalog-error"] or b""
    assert b"llamalog adopt-root" in sentence
    rebuilt = await installation.rebuilt()
    assert (rebuilt.differences.rows, rebuilt.overrides_differing, rebuilt.dead_letters) == (0, 0, 2)


async def test_only_overrides_count_in_their_topic(pool: asyncpg.Pool) -> None:
    installation = Installation(pool)
    installation.publish([CHILD])
    installation.overrides.append(OTHER)
    installation.overrides.append(ADOPTED)
    installation.overrides.append(b"no event")
    await installation.ingest_all()

    assert differences(await stored_rows(pool), [CHILD, ADOPTED]) == []
    found = reasons(installation.kept.dead_letters)
    assert found == [("not-an-override", NAMES.overrides.name), ("not-json", NAMES.overrides.name)]
    rebuilt = await installation.rebuilt()
    assert (rebuilt.differences.rows, rebuilt.overrides_differing, rebuilt.dead_letters) == (0, 0, 2)
    assert (rebuilt.messages, rebuilt.overrides_read) == (1, 3)


async def test_the_position_of_each_topic_is_recorded_by_itself(pool: asyncpg.Pool) -> None:
    installation = Installation(pool)
    installation.publish([CHILD, OTHER, ADOPTED], 0)
    await installation.ingest_all()
    positions = await pool.fetch("SELECT topic, partition, next_offset FROM consumer_positions ORDER BY 1")
    assert [tuple(one) for one in positions] == [
        (NAMES.entity_events.name, 0, 2),
        (NAMES.overrides.name, 0, 1),
    ]
