"""The broker of FastStream, which may be started before Kafka is."""

from typing import Final

from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

_SECURITY: Final = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


def security_of(settings: Settings) -> BaseSecurity | None:
    """The credentials in the form that FastStream takes.

    Raises:
        LlamalogError: as of `Settings.kafka_credentials`.
    """
    credentials = settings.kafka_credentials()
    if credentials is None:
        return None
    return _SECURITY[credentials.mechanism](credentials.username, credentials.password, use_ssl=False)


class RetryingBroker(KafkaBroker):
    """A FastStream broker that can be started before Kafka is."""

    async def start(self) -> None:
        """Connect, and join the groups of the subscribers; retried until Kafka is available.

        Raises:
            KafkaError: Kafka is available and refuses for good.
        """
        await retry_until_available(self._try_to_start, doing="joining the consumer group")

    async def _try_to_start(self) -> None:
        try:
            await super().start()
        except (KafkaError, OSError) as error:
            await self.stop()
            if isinstance(error, KafkaError) and not error.retriable:
                raise
            raise UnavailableError(f"Kafka: {type(error).__name__}: {error}") from error
