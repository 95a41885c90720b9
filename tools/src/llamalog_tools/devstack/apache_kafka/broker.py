"""Apache Kafka as a process of our own, whose topics survive a restart."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from llamalog_tools.devstack.apache_kafka.class_archive import ClassArchive
from llamalog_tools.devstack.apache_kafka.kept_format import KeptFormat
from llamalog_tools.devstack.data_dir import HOST
from llamalog_tools.devstack.errors import LocalStackError
from llamalog_tools.devstack.process import OwnedProcess, run_to_end
from llamalog_tools.devstack.server import Command, Notify, OwnedService, ignore

_CONFIG = files(__package__)
_STARTED = "Kafka Server started"  # logged when the broker is unfenced, i.e. when topics can be created
_JVM = (
    *("-Djava.awt.headless=true", "-XX:+PerfDisableSharedMem", "-XX:+ExitOnOutOfMemoryError"),
    # For a broker of minutes on two cores the optimising compiler costs more than its code saves.
    *("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
)


class ApacheKafka(OwnedService):
    """One node of Apache Kafka on 127.0.0.1, broker and controller in one.

    Args:
        folder: for its topics, settings and log; made by the first start.
        java: a Java of version 17 or later.
        jars: the folder with Kafka's jars.
        notify: gets a line whenever there is something for people to know.
        proxied: it has a second listener, at the port `proxied`, which it advertises as the port `proxy`: of
            a proxy that is to be run beside it.
    """

    port_names: tuple[str, ...] = ("kafka", "controller")
    durable = True
    limits: str | None = None
    number = 1
    stop_seconds = 60.0  # the first writes the archive of classes when it ends

    def __init__(
        self, folder: Path, java: Path, jars: Path, notify: Notify = ignore, *, proxied: bool = False
    ) -> None:
        self.name = f"Apache Kafka {_version(jars)}"
        self.proxied = proxied
        if proxied:
            self.port_names = (*type(self).port_names, "proxied", "proxy")
        super().__init__(folder, notify)
        self.java = java
        self.jars = jars
        self._classes = ClassArchive(java, jars)
        self._format_kept = KeptFormat(jars)

    @property
    def bootstrap(self) -> str:
        """127.0.0.1:port, once started."""
        return f"{HOST}:{self.port('kafka')}"

    @property
    def cluster_id(self) -> str:
        """The cluster's id: offsets noted under it go on being right for as long as it stays the same."""
        lines = (self._topics / "meta.properties").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("cluster.id="))

    @property
    def _topics(self) -> Path:
        return self.folder / "topics"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _scratch(self) -> Path:
        """For the native libraries that Kafka unpacks: a killed one leaves them here, not in /tmp."""
        return self.folder / "tmp"

    def stop(self) -> None:
        """End the broker in good order; does nothing if it does not run."""
        super().stop()
        self._classes.keep(self.folder)

    def _prepare(self) -> None:
        self._scratch.mkdir(exist_ok=True)
        (self.folder / "log4j2.properties").write_text((_CONFIG / "log4j2.properties").read_text())

    def _command(self, ports: Mapping[str, int]) -> Command:
        self._write_properties(ports)
        # This file is written last, when everything else of the format is there.
        if not (self._topics / "meta.properties").exists():
            self._format()
        making = self._classes.options_to_make(self.folder)
        return Command([*self._java_words("-Xmx512m", *making), "kafka.Kafka", str(self._properties)])

    def _is_ready(self, process: OwnedProcess, ports: Mapping[str, int]) -> bool:
        return _STARTED in process.output() and process.listens_on(ports["kafka"])

    def _write_properties(self, ports: Mapping[str, int]) -> None:
        lines = [
            (_CONFIG / "server.properties").read_text(),
            *(f"{key}={value}" for key, value in self._settings(ports).items()),
        ]
        self._properties.write_text("\n".join(lines) + "\n")

    def _settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        """Kafka's settings beside those of the committed file, which they overrule."""
        broker, controller = (f"{HOST}:{ports[name]}" for name in ("kafka", "controller"))
        listeners, advertised = f"PLAINTEXT://{broker}", f"PLAINTEXT://{broker}"
        if self.proxied:
            listeners += f",PROXIED://{HOST}:{ports['proxied']}"
            advertised += f",PROXIED://{HOST}:{ports['proxy']}"
        return {
            "listeners": f"{listeners},CONTROLLER://{controller}",
            "advertised.listeners": advertised,
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._topics),
        }

    def _choose_cluster_id(self) -> str:
        return new_cluster_id()

    def _format(self) -> None:
        self._topics.mkdir(exist_ok=True)
        cluster_id = self._choose_cluster_id()
        if self._format_kept.apply(self._topics, self.number, cluster_id):
            return
        run_to_end(
            "Kafka's StorageTool",
            [
                *self._java_words("-Xmx128m"),
                *("kafka.tools.StorageTool", "format", "--ignore-formatted"),
                *("--cluster-id", cluster_id, "--config", str(self._properties)),
            ],
            log=self.log,
            seconds=self.start_seconds,
            inherit=(self._lock.fd,),
        )
        self._format_kept.keep(self._topics)

    def _java_words(self, *options: str) -> list[str]:
        return [
            str(self.java),
            *_JVM,
            *options,
            *self._classes.options,
            f"-Djava.io.tmpdir={self._scratch}",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            *("-cp", f"{self.jars}/*"),
        ]


def _version(jars: Path) -> str:
    for jar in jars.glob("kafka_2.13-*.jar"):
        return jar.stem.partition("-")[2]
    raise LocalStackError(f"{jars} holds no Kafka. Remove the folder: the next start fetches it anew.")


def new_cluster_id() -> str:
    """A random id, as Kafka's tool makes them."""
    while True:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not cluster_id.startswith("-"):  # the tool would take it for an option
            return cluster_id
