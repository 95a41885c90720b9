"""Apache Kafka, one node, from its Maven Central jars: the reference broker."""

from llamalog_tools.devstack.apache_kafka.broker import ApacheKafka
from llamalog_tools.devstack.apache_kafka.jars import fetch_jars
from llamalog_tools.devstack.apache_kafka.java import find_java

__all__ = ["ApacheKafka", "fetch_jars", "find_java"]
