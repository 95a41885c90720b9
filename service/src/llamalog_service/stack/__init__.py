"""A PostgreSQL and a Kafka on one's own machine, for `llamalog up` and for tests.

    with LocalStack(Path(".llamalog"), say=print) as stack:
        stack.postgres.url, stack.kafka.bootstrap

Needs the extra `local` of this distribution. Reading order: local, choose, service, process, spawn.
"""

from llamalog_service.stack.apache_kafka import ApacheKafka
from llamalog_service.stack.choose import Broker, choose_kafka
from llamalog_service.stack.embedded_kafka import EmbeddedKafka
from llamalog_service.stack.errors import (
    ApacheKafkaUnavailableError,
    DataDirBusyError,
    LocalStackError,
    ProcessEndedError,
)
from llamalog_service.stack.given import GivenKafka, GivenPostgres
from llamalog_service.stack.local import LocalStack
from llamalog_service.stack.options import StackOptions
from llamalog_service.stack.postgres import LocalPostgres

__all__ = [
    "ApacheKafka",
    "ApacheKafkaUnavailableError",
    "Broker",
    "DataDirBusyError",
    "EmbeddedKafka",
    "GivenKafka",
    "GivenPostgres",
    "LocalPostgres",
    "LocalStack",
    "LocalStackError",
    "ProcessEndedError",
    "StackOptions",
    "choose_kafka",
]
