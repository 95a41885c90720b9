"""Errors of topics, producers and clients of Kafka."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiokafka.errors import KafkaConnectionError, KafkaError

from llamalog_service.domain.errors import ExitCode, LlamalogError, UnavailableError


class TopicsNotCreatedError(LlamalogError):
    """The broker refused to create topics; the others of the same request were created."""

    def __init__(self, refusals: dict[str, str]) -> None:
        reasons = "; ".join(f"{topic}: {reason}" for topic, reason in refusals.items())
        super().__init__(
            f"Kafka did not create {len(refusals)} of the topics ({reasons}). The others exist. "
            "Remove the cause and create the topics again: existing ones are kept as they are."
        )
        self.refusals = refusals


class TopicAbsentError(LlamalogError):
    """A topic that is to be read does not exist."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"There is no topic {topic}. Create it with `llamalog topics create`, or correct the prefix "
            "(LLAMALOG_TOPIC_PREFIX)."
        )


class MessagesGoneError(LlamalogError):
    """A topic that is read from its beginning has lost messages that were not read yet."""

    def __init__(self, topic: str, partition: int, offset: int, first: int) -> None:
        super().__init__(
            f"Partition {partition} of {topic} does not hold offset {offset:,} any more, which was to be "
            f"read next: it begins at {first:,}. Retention or an operator removed messages while it was "
            "read, or the topic was deleted and created again. Nothing is skipped, so this ends here. Look "
            "at the retention with `llamalog topics check`; an archive that holds the messages can be read "
            "with `llamalog rebuild --from-file`."
        )


class TopicsUnfitError(LlamalogError):
    """Topics are missing or misconfigured: going on would lose events or stop the stream."""

    def __init__(self, findings: Sequence[object]) -> None:
        lines = "\n".join(f"  {finding}" for finding in findings)
        super().__init__(f"The topics are not as they have to be; nothing was read or written.\n{lines}")
        self.findings = tuple(findings)


@contextmanager
def translate_kafka_errors(bootstrap: str) -> Iterator[None]:
    """Raise UnavailableError in place of the client's errors.

    Raises:
        UnavailableError: Kafka cannot be reached, or refuses for the moment.
    """
    try:
        yield
    except KafkaConnectionError as error:
        raise UnavailableError(
            f"Kafka can't be reached at {bootstrap}. Check that it runs, and the address in LLAMALOG_KAFKA."
        ) from error
    except (KafkaError, OSError) as error:
        raise UnavailableError(f"Kafka at {bootstrap}: {error!r}") from error


class MessageTooLargeError(LlamalogError):
    """Kafka refuses a message for its size: waiting does not help."""

    def __init__(self, topic: str, cause: BaseException) -> None:
        super().__init__(
            f"Kafka refuses a message to {topic} for its size: {cause}. The process ends and loses nothing. "
            "Look with `llamalog topics check` how large a message the topic has to take, and start again."
        )


class ProducerBrokenError(LlamalogError):
    """A producer that can send no more, even once Kafka is back: waiting does not help, a new one does."""

    exit_code = ExitCode.BROKEN

    def __init__(self, topic: str, cause: BaseException) -> None:
        super().__init__(
            f"The connection that messages to {topic} are sent over is broken for good "
            f"({type(cause).__name__}: {cause}). The process ends and loses nothing: what Kafka has not "
            "acknowledged is sent again after a restart. Start it again."
        )
