"""Apache Kafka, one node or three, from its Maven Central jars: the reference broker."""

from llamalog_tools.devstack.apache_kafka.broker import ApacheKafka
from llamalog_tools.devstack.apache_kafka.cluster import ApacheKafkaCluster, ClusterNode
from llamalog_tools.devstack.apache_kafka.jars import JarSet, fetch_jars
from llamalog_tools.devstack.apache_kafka.java import find_java

__all__ = ["ApacheKafka", "ApacheKafkaCluster", "ClusterNode", "JarSet", "fetch_jars", "find_java"]
