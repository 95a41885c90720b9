"""Logins that an Apache Kafka with SASL refuses: at a start they end a process, later they are waited for."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Literal

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from harness.commands import Commands
from harness.fast_folders import fast_folder
from harness.secured_kafka import SecuredKafka, settings_as
from harness.service import running
from harness.topics import publish_events
from harness.waiting import eventually
from histories import event
from llamalog_service.domain.errors import ExitCode
from llamalog_service.kafka.clients import connection_options
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

PREFIX = "logins."
USER = "ingest"
WRONG = "no-such-password-4711"


class KafkaWithUsers(SecuredKafka):
    """A broker whose users may do everything, and whose administrator may forget one of them."""

    def forget(self, user: str) -> None:
        """Refuse a user's logins after the next start."""
        self._users = tuple(one for one in self._users if one != user)

    def know(self, user: str) -> None:
        """Accept a user's logins after the next start."""
        self._users = (*self._users, user)

    def _settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        return {**super()._settings(ports), "super.users": f"User:admin;User:ANONYMOUS;User:{USER}"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaWithUsers]:
    with fast_folder(tmp_path_factory.mktemp("logins")) as folder:
        broker = KafkaWithUsers(folder / "kafka", [USER])
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


@pytest.fixture
async def accepted(database_url: str, broker: KafkaWithUsers) -> AsyncIterator[Settings]:
    """The settings of a user whom the broker knows; the topics are there."""
    common = Settings(
        database_url=SecretStr(database_url),
        kafka=broker.bootstrap,
        topic_prefix=PREFIX,
        consumer_port=0,
        migration_consumer_port=0,
        api_port=0,
        log_format="json",
    )
    settings = settings_as(common, broker, USER)
    await Commands(settings).done("topics", "create")
    yield settings


@pytest.fixture
def refused(accepted: Settings) -> Settings:
    return accepted.model_copy(update={"kafka_sasl_password": SecretStr(WRONG)})


def assert_is_told(output: str) -> None:
    assert f"refuses the login of {USER} by PLAIN" in output
    assert "LLAMALOG_KAFKA_SASL_PASSWORD" in output
    assert "Traceback" not in output
    assert WRONG not in output


@pytest.mark.parametrize("command", ["consumer", "migration-consumer"])
async def test_a_wrong_password_ends_the_start_of_a_consumer(
    refused: Settings, tmp_path: Path, command: Literal["consumer", "migration-consumer"]
) -> None:
    async with running(command, refused, tmp_path) as process:
        assert await process.ended() == ExitCode.CONFIGURATION
        assert_is_told(process.output)
        assert process.output.count("refuses the login") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("api",),
        ("rebuild", "--dry-run"),
        ("topics", "check"),
        ("adopt-root", "lost", "--reason", "a test"),
        ("dead-letters", "list"),
    ],
    ids=lambda words: "-".join(words[:2]),
)
async def test_a_wrong_password_ends_a_command(refused: Settings, words: tuple[str, ...]) -> None:
    assert_is_told(await Commands(refused).refused(*words, code=ExitCode.CONFIGURATION))


async def test_a_mechanism_that_the_broker_lacks_is_a_refused_login(accepted: Settings) -> None:
    settings = accepted.model_copy(update={"kafka_sasl_mechanism": "SCRAM-SHA-512"})
    printed = await Commands(settings).refused("rebuild", "--dry-run", code=ExitCode.CONFIGURATION)
    assert f"refuses the login of {USER} by SCRAM-SHA-512" in printed
    assert "LLAMALOG_KAFKA_SASL_MECHANISM" in printed


async def test_a_running_consumer_waits_while_its_login_is_refused(
    accepted: Settings, broker: KafkaWithUsers, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    topic = topics(PREFIX).entity_events.name

    async def publish(number: int) -> None:
        async with AIOKafkaProducer(**connection_options(accepted)) as producer:
            await publish_events(producer, topic, [event(number, f"job-{number}")])

    async def rows() -> int:
        found: int = await pool.fetchval("SELECT count(*) FROM llama_logs")
        return found

    async def first_is_recorded() -> bool:
        return await rows() == 1

    async def both_are_recorded() -> bool:
        assert process.exit_code is None, process.output
        return await rows() == 2

    async with running("consumer", accepted, tmp_path) as process:
        await publish(1)
        await eventually(first_is_recorded)

        broker.forget(USER)
        await asyncio.to_thread(broker.restart)
        refusals = Commands(accepted)
        assert_is_told(await refusals.refused("topics", "check", code=ExitCode.CONFIGURATION))
        assert process.exit_code is None, process.output

        broker.know(USER)
        await asyncio.to_thread(broker.restart)
        await publish(2)
        await eventually(both_are_recorded)
        assert await process.stop() == 0
