"""What a consumer of provenance may be told."""

from llamalog_schemas.errors import LlamalogSchemasError


class KafkaAwayError(LlamalogSchemasError):
    """Kafka did not answer when the consumer started; trying again later may help."""


class NoGroupError(LlamalogSchemasError):
    """A consumer of no group commits nothing to Kafka: keep the positions of the news yourself."""
