"""The broker of FastStream, which may be started before Kafka is."""

from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.retry import retry_until_available


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
