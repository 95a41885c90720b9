"""Kafka's clients as the service uses them: opened from settings, bounded in bytes, errors translated."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedSaslMechanismError,
)

from llamalog_service.domain.errors import ExitCode, LlamalogError, LoginRefusedError, UnavailableError
from llamalog_service.kafka.record_batches import read_within_bounds
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

ISOLATION: Final = "read_committed"
"""Of every reader: the messages of an aborted transaction are no events, and those of an open one not yet."""

_MEBIBYTE = 1024 * 1024
FETCH_MAX_BYTES: Final = 8 * _MEBIBYTE
PARTITION_FETCH_BYTES: Final = _MEBIBYTE // 2
"""As transferred, compressed or not: what a fetch response may hold, and what is kept of a partition that is
not read on. A larger record batch is returned nevertheless."""


_LOGIN_MILLISECONDS: Final = 5_000
"""For a broker's answer to a login, once it could not be used."""

METADATA_MILLISECONDS: Final = 10_000
"""After so long the partitions of a topic are looked at again: it may have got more."""


class KafkaForbidsError(LlamalogError):
    """Kafka's authorizer does not allow what the service does: waiting does not help."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"Kafka does not allow it ({type(cause).__name__}: {cause}). `llamalog topics acls` prints the "
            "rights that each process needs. Nothing is lost: grant them, and start again."
        )


class KafkaLoginRefusedError(LlamalogError):
    """Kafka refuses the login with which a process starts: waiting does not help."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, refusal: LoginRefusedError) -> None:
        super().__init__(f"{refusal} Nothing was read or written.")


FORBIDDEN: Final = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ClusterAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


_LOGIN_REFUSALS: Final = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


def connection_options(settings: Settings) -> dict[str, Any]:
    """The arguments of every client of Kafka: the brokers, and the credentials if there are any.

    Raises:
        LlamalogError: as of `Settings.kafka_credentials`.
    """
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka}
    credentials = settings.kafka_credentials()
    if credentials is not None:
        options |= {
            "security_protocol": settings.kafka_security_protocol,
            "sasl_mechanism": credentials.mechanism,
            "sasl_plain_username": credentials.username,
            "sasl_plain_password": credentials.password,
        }
    return options


@contextmanager
def translate_kafka_errors(bootstrap: str) -> Iterator[None]:
    """Raise UnavailableError in place of the client's errors.

    Raises:
        UnavailableError: Kafka cannot be reached, or refuses for the moment.
        KafkaForbidsError: its authorizer refuses.
    """
    try:
        yield
    except FORBIDDEN as error:
        raise KafkaForbidsError(error) from error
    except KafkaConnectionError as error:
        raise UnavailableError(
            f"Kafka can't be reached at {bootstrap}. Check that it runs, and the address in LLAMALOG_KAFKA."
        ) from error
    except (KafkaError, OSError) as error:
        raise UnavailableError(f"Kafka at {bootstrap}: {error!r}") from error


async def require_login(settings: Settings, *, timeout: float | None = None) -> None:
    """Refuse credentials that Kafka refuses, before a process starts; wait for a Kafka that is away.

    Args:
        timeout: seconds to wait for Kafka; None waits without a limit.

    Raises:
        KafkaLoginRefusedError: a broker answers, and refuses the login.
        UnavailableError: Kafka did not answer within `timeout` seconds.
    """
    if settings.kafka_credentials() is None:
        return

    async def connect() -> None:
        try:
            async with open_admin(settings):
                pass
        except LoginRefusedError as refused:
            raise KafkaLoginRefusedError(refused) from refused

    await retry_until_available(connect, doing="connecting to Kafka", timeout=timeout)


async def _start(start: Callable[[], Awaitable[None]], settings: Settings) -> None:
    """Start a client, which reports a refused login as a Kafka that cannot be reached.

    Raises:
        LoginRefusedError: a broker answers, and refuses the login.
    """
    try:
        await start()
    except KafkaConnectionError:
        await _look_for_refusal(settings)
        raise


async def _look_for_refusal(settings: Settings) -> None:
    credentials = settings.kafka_credentials()
    if credentials is None:
        return
    options = connection_options(settings)
    servers = options.pop("bootstrap_servers")
    for host, port, _ in collect_hosts(servers, randomize=False):
        try:
            connection = await create_conn(host, port, request_timeout_ms=_LOGIN_MILLISECONDS, **options)
        except _LOGIN_REFUSALS as error:
            raise LoginRefusedError(
                f"Kafka at {host}:{port} refuses the login of {credentials.username} by "
                f"{credentials.mechanism}: {error}. Correct LLAMALOG_KAFKA_SASL_USERNAME, "
                "LLAMALOG_KAFKA_SASL_PASSWORD (or the file of LLAMALOG_KAFKA_SASL_PASSWORD_FILE) or "
                "LLAMALOG_KAFKA_SASL_MECHANISM, or the users that the broker knows."
            ) from error
        except (KafkaError, OSError, TimeoutError):
            continue
        connection.close()
        return


class MessageToSend(NamedTuple):
    """A message as Kafka carries it; aiokafka wants the headers as a list.

    ``timestamp``: milliseconds since 1970; None: the time at which it is sent in a batch.
    """

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int | None = None


@asynccontextmanager
async def open_producer(
    settings: Settings,
    *,
    timeout: float | None = None,
    compression: str | None = None,
    transactional_id: str | None = None,
) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose messages are acknowledged by all replicas; waits until Kafka is there.

    Args:
        compression: of batches, by its name in Kafka; None: they are sent as they are.
        transactional_id: of a producer of transactions, which ends those of an earlier one of the same id.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """
    producer = AIOKafkaProducer(
        **connection_options(settings),
        acks="all",
        compression_type=compression,
        transactional_id=transactional_id,
        enable_idempotence=settings.kafka_durable,
        linger_ms=2,
        max_batch_size=_MEBIBYTE // 2,
        max_request_size=32 * _MEBIBYTE,
    )

    async def start() -> None:
        with translate_kafka_errors(settings.kafka):
            await _start(producer.start, settings)

    try:
        await retry_until_available(start, doing="connecting to Kafka", timeout=timeout)
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def open_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; does not wait.

    Raises:
        UnavailableError: Kafka does not answer; also for what fails within the context.
    """
    admin = AIOKafkaAdminClient(**connection_options(settings))
    with translate_kafka_errors(settings.kafka):
        try:
            await _start(admin.start, settings)
            yield admin
        finally:
            await admin.close()


@asynccontextmanager
async def open_reader(
    settings: Settings, group: str | None = None, *, skips: bool = True
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that is to be assigned partitions and commits nothing by itself; does not wait.

    Args:
        group: whose offsets it is to know; it does not become a member.
        skips: goes on at the beginning where an offset is gone; else it raises OffsetOutOfRangeError.

    Raises:
        UnavailableError: Kafka does not answer; also for what fails within the context.
    """
    read_within_bounds()
    reader = AIOKafkaConsumer(
        **connection_options(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if skips else "none",
        fetch_max_wait_ms=50,
        fetch_max_bytes=FETCH_MAX_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        isolation_level=ISOLATION,
        metadata_max_age_ms=METADATA_MILLISECONDS,
    )
    with translate_kafka_errors(settings.kafka):
        try:
            await _start(reader.start, settings)
            yield reader
        finally:
            await reader.stop()
