"""Several nodes of Apache Kafka on one machine, each broker and controller, that replicate to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llamalog_tools.devstack.apache_kafka.broker import ApacheKafka, new_cluster_id
from llamalog_tools.devstack.data_dir import HOST, RememberedPorts
from llamalog_tools.devstack.server import Notify, ignore

NODES = 3
_IN_SYNC = 2
"""Copies of a message without which Kafka does not acknowledge it."""


class ClusterNode(ApacheKafka):
    """One of the nodes. All know each other's ports, which therefore stay the same."""

    def __init__(
        self,
        folder: Path,
        java: Path,
        jars: Path,
        notify: Notify,
        *,
        number: int,
        cluster: ApacheKafkaCluster,
    ) -> None:
        super().__init__(folder, java, jars, notify)
        self.number = number
        self._cluster = cluster

    def _settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        copies, in_sync = str(NODES), str(_IN_SYNC)
        voters = (f"{number}@{HOST}:{port}" for number, port in self._cluster.controllers.items())
        return {
            **super()._settings(ports),
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(voters),
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            # A replica that does not follow holds acknowledgements up for so long.
            "replica.lag.time.max.ms": "5000",
            # A leader that came back gets its partitions back soon.
            "leader.imbalance.check.interval.seconds": "2",
            "leader.imbalance.per.broker.percentage": "0",
        }

    def _take_ports(self) -> dict[str, int]:
        return self._cluster.ports_of(self.number)

    def _choose_cluster_id(self) -> str:
        return self._cluster.new_id


class ApacheKafkaCluster:
    """Three nodes of Apache Kafka on 127.0.0.1; topics have three copies, two of them in sync.

    Args:
        folder: for the nodes' folders.
        java: a Java of version 17 or later.
        jars: the folder with Kafka's jars.
        notify: gets a line whenever there is something for people to know.

    Attributes:
        nodes: by themselves to be stopped and started.
        new_id: that the cluster is formatted with.
    """

    durable = True
    limits: str | None = None

    def __init__(self, folder: Path, java: Path, jars: Path, notify: Notify = ignore) -> None:
        self._folder = folder.absolute()
        self._notify = notify
        names = [f"{name}{number}" for number in range(1, NODES + 1) for name in ApacheKafka.port_names]
        self._remembered = RememberedPorts(self._folder / "ports.json", names)
        self._ports: dict[str, int] = {}
        self.new_id = new_cluster_id()
        self.nodes = [
            ClusterNode(self._folder / f"node{number}", java, jars, notify, number=number, cluster=self)
            for number in range(1, NODES + 1)
        ]
        self.name = f"{self.nodes[0].name}, {NODES} brokers"

    @property
    def controllers(self) -> dict[int, int]:
        """The ports of the controllers, by the number of their node."""
        return {node.number: self._ports[f"controller{node.number}"] for node in self.nodes}

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes, once started."""
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def cluster_id(self) -> str:
        """The cluster's id."""
        return self.nodes[0].cluster_id

    def ports_of(self, number: int) -> dict[str, int]:
        """The ports of a node, by their names there."""
        return {name: self._ports[f"{name}{number}"] for name in ApacheKafka.port_names}

    def start(self) -> None:
        """Start the nodes that do not run, and wait until all serve.

        Raises:
            LocalStackError: one could not be started.
        """
        if not self._ports:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._ports = self._remembered.take(self._notify)
        self._all(lambda node: node.start())

    def stop(self) -> None:
        """End the nodes in good order; the last as a crash would, since alone it waits for the others."""
        *others, last = self.nodes
        for node in others:
            node.stop()
        last.kill()

    def kill(self) -> None:
        """End every node as a crash would."""
        self._all(lambda node: node.kill())

    def restart(self) -> None:
        """Stop and start all nodes."""
        self.stop()
        self.start()

    def restart_ended(self) -> None:
        """Start the nodes again that have ended by themselves.

        Raises:
            LocalStackError: one ended again and again, or could not be started.
        """
        for node in self.nodes:
            node.restart_ended()

    def _all(self, do: Callable[[ClusterNode], None]) -> None:
        """At the same time: one that is alone has no quorum to start with."""
        with ThreadPoolExecutor(len(self.nodes)) as threads:
            for done in [threads.submit(do, node) for node in self.nodes]:
                done.result()
