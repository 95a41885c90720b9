"""The real parts that tests run against: a PostgreSQL a worker, one Kafka; a database and topics a test."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import pytest
from xdist.remote import Producer
from xdist.scheduler import Scheduling

from harness.api import RunningApi, running_api
from harness.browser import screenshots
from harness.databases import new_database
from harness.distribution import FilesByServers
from harness.fast_folders import fast_folder
from harness.hangs import pytest_exception_interact, pytest_runtest_makereport
from harness.installation import installation
from harness.shared_kafka import SharedKafka
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.postgres.pool import create_pool
from llamalog_service.settings import Settings
from llamalog_tools.devstack import LocalStack

__all__ = ["pytest_exception_interact", "pytest_runtest_makereport"]


def pytest_collection_finish() -> None:
    """Spare the garbage collector what all tests share: short ones spent a twentieth of their CPU there."""
    gc.collect()
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return FilesByServers(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if folder := screenshots():
        terminalreporter.write_line(f"{len(list(folder.glob('*.png')))} screenshots in {folder}")


_SHARED_KAFKA = pytest.StashKey[SharedKafka]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if shared := session.config.stash.get(_SHARED_KAFKA, None):
        shared.release()


@pytest.fixture(scope="session")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[LocalStack]:
    """A PostgreSQL of this worker, and the broker that this machine can have, for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = SharedKafka((base if worker_id == "master" else base.parent) / "kafka")
    request.config.stash[_SHARED_KAFKA] = shared
    with (
        fast_folder(tmp_path_factory.mktemp("stack")) as folder,
        LocalStack(folder, shared.options(), fast=True, notify=print) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def _only_on_apache_kafka(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("apache_kafka") is None:
        return
    kafka = request.getfixturevalue("stack").kafka
    if not kafka.durable:
        pytest.skip(f"only Apache Kafka can pass it; {kafka.name}: {kafka.limits}")


@pytest.fixture(scope="session")
def postgres_url(stack: LocalStack) -> str:
    """A database from which tests create others."""
    return stack.postgres.url


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database, to be copied."""
    with asyncio.Runner() as runner:
        database = new_database(postgres_url)
        url = runner.run(database.__aenter__())
        runner.run(migrate(url))
        yield url.rpartition("/")[2]
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture
async def database_url(postgres_url: str, template_database: str) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own."""
    async with new_database(postgres_url, template_database) as url:
        yield url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to it, as the service has them."""
    async with create_pool(database_url, min_size=0, max_size=4) as pool:
        yield pool


@pytest.fixture(scope="session")
def kafka_bootstrap(stack: LocalStack) -> str:
    """Where the broker listens."""
    return stack.kafka.bootstrap


@pytest.fixture
async def settings(stack: LocalStack, database_url: str) -> AsyncIterator[Settings]:
    """The settings of an installation of the test's own: its database, and topics under its own prefix."""
    async with installation(stack, database_url, f"test-{uuid4().hex[:8]}.") as settings:
        yield settings


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[RunningApi]:
    """The API over that installation, without tokens: clients on this machine may do everything."""
    async with running_api(settings) as running:
        yield running
