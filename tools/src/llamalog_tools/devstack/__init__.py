"""A PostgreSQL and a Kafka on the developer's machine, for `llamalog-dev up` and for tests.

    with LocalStack(Path(".llamalog"), notify=print) as stack:
        stack.postgres.url, stack.kafka.bootstrap

Reading order: stack, server, process, data_dir.
"""

from llamalog_tools.devstack.apache_kafka import ApacheKafka, ApacheKafkaCluster, ClusterNode
from llamalog_tools.devstack.embedded_kafka import EmbeddedKafka
from llamalog_tools.devstack.errors import (
    ApacheKafkaUnavailableError,
    DataDirBusyError,
    LocalStackError,
    ProcessEndedError,
)
from llamalog_tools.devstack.given import GivenKafka, GivenPostgres
from llamalog_tools.devstack.postgres import LocalPostgres
from llamalog_tools.devstack.stack import Broker, LocalStack, StackOptions, choose_kafka
from llamalog_tools.devstack.standby import PostgresStandby

__all__ = [
    "ApacheKafka",
    "ApacheKafkaCluster",
    "ApacheKafkaUnavailableError",
    "Broker",
    "ClusterNode",
    "DataDirBusyError",
    "EmbeddedKafka",
    "GivenKafka",
    "GivenPostgres",
    "LocalPostgres",
    "LocalStack",
    "LocalStackError",
    "PostgresStandby",
    "ProcessEndedError",
    "StackOptions",
    "choose_kafka",
]
