"""`llamalog export`: everything that is stored about a person, and nothing about others."""

import json
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from harness.commands import Commands
from harness.filled import RefusedMessage
from harness.topics import producing
from harness.writers import KeptMessages, Writer
from histories import event
from llamalog_schemas.events import EntityCreated
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.dead_letters import RejectedRecord, dead_letter_message
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.kafka.topics import topics
from llamalog_service.personal_data.access import names_user
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka


def said_by(user: str, number: int) -> EntityCreated:
    one = event(number, f"job-{number}")
    assert isinstance(one, EntityCreated)
    return replace(one, data=replace(one.data, user_id=user))


async def test_rows_removed_rows_and_dead_letters_of_one_person_alone(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    writer = Writer(pool, KeptMessages())
    await writer.write(*(said_by("ada", number) for number in range(1, 4)), said_by("ada lovelace", 4))
    await pool.executemany(
        "INSERT INTO removed_rows (row_id, content) VALUES ($1, $2)",
        [(UUID(int=8), {"user_id": "ada", "revision": 1}), (UUID(int=9), {"user_id": "bob", "revision": 1})],
    )
    names = topics(settings.topic_prefix)
    values = [
        b'{"data": {"userId": "ada", "operation": ""}}',
        b'{"data": {"userId": "bob"}}',
        b'{"data": {"userId": "ada", broken',
        None,
    ]
    async with producing(settings.kafka) as producer:
        refused = [
            RejectedRecord(
                RefusedMessage(names.entity_events.name, offset, value), DeadLetter("not-json", "no")
            )
            for offset, value in enumerate(values)
        ]
        await MessageProducer(producer).send(
            names.dead_letters.name, [dead_letter_message(one) for one in refused]
        )

    printed = await Commands(settings).done("export", "--user", "ada")

    lines = [line for line in printed.splitlines() if line]
    found = [json.loads(line) for line in lines if line.startswith("{")]
    assert [one["row"]["id"] for one in found if one["place"] == "row"] == [
        str(UUID(int=number)) for number in range(1, 4)
    ]
    assert [one["removedRow"]["rowId"] for one in found if one["place"] == "removed-row"] == [
        str(UUID(int=8))
    ]
    letters = [one["deadLetter"] for one in found if one["place"] == "dead-letter"]
    assert [letter["value"] for letter in letters] == [
        {"data": {"userId": "ada", "operation": ""}},
        values[2].decode(),  # type: ignore[union-attr]
    ]
    assert len(found) == 6
    assert lines[-1] == "3 rows, 1 removed rows, 2 dead letters."


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b'["x", {"deep": {"who": "ada"}}]', True),
        (b'{"ada": 1}', False),
        (b'{"user": "ada lovelace"}', False),
        (b'\xff"ada"', True),
        (b'{"who": "zo\\u00eb"}', False),
        (b"[" * 100_000, False),
        (b"", False),
        (None, False),
    ],
)
def test_a_message_names_a_person_by_a_text_of_its_own(value: bytes | None, names: bool) -> None:
    assert names_user(value, "ada") is names


def test_a_number_is_no_id_of_a_person() -> None:
    assert not names_user(b'{"data": {"userId": 7, "year": 7}}', "7")
    assert not names_user(b'{"data": {"userId": 7, broken', "7")
    assert names_user(b'{"data": {"userId": "7"}}', "7")


def test_an_escaped_name_is_the_same_name() -> None:
    assert names_user(b'{"who": "zo\\u00eb"}', "zoë")
