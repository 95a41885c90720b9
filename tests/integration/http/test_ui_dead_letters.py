"""The page of dead letters without a browser: by reason, and each message as it came."""

from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest

from harness.api import RunningApi
from harness.erasing import erasure_of_user
from harness.topics import producing
from harness.writers import Message
from llamalog_service.domain.erasures import erasure_of
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.dead_letters import RejectedRecord, dead_letter_message
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.kafka.topics import topics
from llamalog_service.log.erasures import insert_erasures
from llamalog_service.settings import Settings

HOSTILE = """"'><img src=x onerror=alert(1)>"""


@pytest.fixture
async def visitor(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as client:
        yield client


async def refuse(settings: Settings, *refused: tuple[str, Message]) -> None:
    """Put messages among the dead letters, each with a reason."""
    async with producing(settings.kafka) as producer:
        await MessageProducer(producer).send(
            topics(settings.topic_prefix).dead_letters.name,
            [
                dead_letter_message(RejectedRecord(message, DeadLetter(reason, f"{HOSTILE} is wrong")))
                for reason, message in refused
            ],
        )


async def shown(visitor: httpx.AsyncClient, **query: str) -> str:
    answer = await visitor.get(f"/ui/dead-letters?{urlencode(query)}")
    assert answer.status_code == 200, answer.text
    assert "<img src=x" not in answer.text
    return unescape(answer.text)


async def test_where_nothing_was_refused_nothing_is_shown(visitor: httpx.AsyncClient) -> None:
    assert "Nothing was refused." in await shown(visitor)


async def test_an_erased_person_is_not_shown(
    visitor: httpx.AsyncClient, settings: Settings, pool: asyncpg.Pool
) -> None:
    await refuse(
        settings, ("bad-field", Message(b'{"data": {"userId": "ada", "jobId": "of-ada"}}', offset=7))
    )
    assert '"ada"' in await shown(visitor)
    async with pool.acquire() as connection:
        await insert_erasures(connection, [erasure_of(erasure_of_user("ada"))])
    text = await shown(visitor)
    assert '"ada"' not in text
    assert '{"data":{"userId":"(erased)","jobId":"of-ada"}}' in text
    page = await visitor.get("/dead-letters/messages")
    assert '"ada' not in page.text.replace("\\", "")
    assert page.json()["items"][0]["sentence"] == "(erased)"


async def test_dead_letters_are_counted_by_reason_and_shown_as_they_came(
    visitor: httpx.AsyncClient, settings: Settings
) -> None:
    headers = [(HOSTILE, HOSTILE.encode()), ("empty", None), ("llamalog-reason", b"of the message itself")]
    await refuse(
        settings,
        ("not-json", Message(HOSTILE.encode(), key=HOSTILE.encode(), headers=headers, offset=7)),
        ("not-json", Message(b"\xff\x00\x1b[31m", offset=8)),
        ("too-large", Message(b"x" * 5000, offset=9)),
        (HOSTILE, Message(None, key=b"k", offset=10)),
    )
    text = await shown(visitor)
    assert text.count('data-key="') == 4
    assert f"{HOSTILE} is wrong" in text
    assert "tests.entity-events</bdi>/0/7" in text
    assert "of the message itself" in text
    assert "null: a tombstone" in text
    assert "\x1b" not in text
    assert "␛[31m" in text
    assert text.count("Only its beginning is shown") == 1

    some = await shown(visitor, reason="not-json")
    assert (some.count('data-key="'), "not-json</bdi></a>" in some) == (2, True)
    assert (await shown(visitor, reason=HOSTILE)).count('data-key="') == 1
    assert "No dead letter matches." in await shown(visitor, topic="another")


async def test_an_invalid_filter_is_named(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get(f"/ui/dead-letters?{urlencode({'since': HOSTILE})}")
    assert answer.status_code == 422
    assert f"“{HOSTILE}” was not understood for since" in unescape(answer.text)
    assert "<img src=x" not in answer.text
    assert (await visitor.get("/ui/dead-letters?after=nowhere")).status_code == 422


async def test_many_dead_letters_are_shown_piece_by_piece(
    visitor: httpx.AsyncClient, settings: Settings
) -> None:
    await refuse(settings, *[("not-json", Message(b"no", offset=number)) for number in range(70)])
    text = await shown(visitor)
    assert text.count('data-key="') == 50
    further = text.partition('data-more="#dead-letters"><a class="button" href="')[2].partition('"')[0]
    assert unescape((await visitor.get(further)).text).count('data-key="') == 20
