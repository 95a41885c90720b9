"""PostgreSQL and Kafka together on one machine: which ones, started and stopped as one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from llamalog_tools.devstack.apache_kafka import ApacheKafka, ApacheKafkaCluster, fetch_jars, find_java
from llamalog_tools.devstack.embedded_kafka import EmbeddedKafka
from llamalog_tools.devstack.errors import ApacheKafkaUnavailableError, LocalStackError
from llamalog_tools.devstack.given import GivenKafka, GivenPostgres
from llamalog_tools.devstack.postgres import LocalPostgres
from llamalog_tools.devstack.server import Notify, OwnedService, ignore

EMBEDDED = "embedded"


@dataclass(frozen=True)
class StackOptions:
    """The choices of a person, and the environment variables that name them.

    Attributes:
        kafka: a broker that runs already, as host:port, or the word `embedded` (LLAMALOG_KAFKA).
        database_url: a PostgreSQL that runs already (LLAMALOG_DATABASE_URL).
        require_apache: it is an error if Apache Kafka cannot be started (LLAMALOG_REQUIRE_APACHE_KAFKA).
        cache: folder for what is fetched once; None: the user's own (LLAMALOG_CACHE).
        replicated: Apache Kafka gets three brokers.
        proxied: Apache Kafka's one broker gets a listener for clients behind a proxy.
    """

    kafka: str | None = None
    database_url: str | None = None
    require_apache: bool = False
    cache: Path | None = None
    replicated: bool = False
    proxied: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StackOptions:
        """Reads the four variables; an empty one counts as unset.

        Raises:
            LocalStackError: LLAMALOG_REQUIRE_APACHE_KAFKA is neither yes nor no.
        """
        cache = environment.get("LLAMALOG_CACHE")
        return cls(
            kafka=environment.get("LLAMALOG_KAFKA") or None,
            database_url=environment.get("LLAMALOG_DATABASE_URL") or None,
            require_apache=_yes(environment.get("LLAMALOG_REQUIRE_APACHE_KAFKA", "")),
            cache=Path(cache) if cache else None,
        )


def _yes(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes"):
        return True
    if word in ("", "0", "false", "no"):
        return False
    raise LocalStackError(f"LLAMALOG_REQUIRE_APACHE_KAFKA has to be 1 or 0; it has {text!r}.")


class Broker(Protocol):
    """A Kafka of the local stack."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    @property
    def durable(self) -> bool:
        """False if its topics are gone when it stops; a database that knows their offsets is void then."""

    @property
    def limits(self) -> str | None:
        """Its limits, in one line; None: it has all that llamalog needs."""

    @property
    def bootstrap(self) -> str:
        """Addresses, as host:port, with commas between them; known once started."""

    @property
    def cluster_id(self) -> str:
        """Identifies its topics: offsets noted under one id mean nothing under another."""

    def start(self) -> None:
        """Start it and wait until it serves."""

    def stop(self) -> None:
        """End it in good order, unless it was given."""

    def kill(self) -> None:
        """End it as a crash would."""

    def restart(self) -> None:
        """Stop it and start it on what it left, at the same address if that is still free."""


def choose_kafka(data_dir: Path, options: StackOptions, notify: Notify = ignore) -> Broker:
    """The broker to use, not yet started; `notify` gets which it is, and why no better one.

    Args:
        data_dir: the stack's; each kind of broker has a folder of its own in it.
        options: the choices of the user.
        notify: gets the reasons, a sentence each.

    Raises:
        ApacheKafkaUnavailableError: Apache Kafka is required and cannot be had.
        LocalStackError: the broker given is no host:port.
    """
    if options.kafka and options.kafka != EMBEDDED:
        notify(f"Kafka: the one given, {options.kafka}.")
        return GivenKafka(options.kafka)
    try:
        if options.kafka == EMBEDDED:
            raise ApacheKafkaUnavailableError(f"LLAMALOG_KAFKA={EMBEDDED} asks for the embedded broker.")
        apache = _apache_kafka(data_dir / "kafka", options, notify)
    except ApacheKafkaUnavailableError as reason:
        if options.require_apache:
            raise ApacheKafkaUnavailableError(
                f"Apache Kafka is required (LLAMALOG_REQUIRE_APACHE_KAFKA), but: {reason}"
            ) from reason
        embedded = EmbeddedKafka(data_dir / "embedded-kafka", notify)
        notify(f"Kafka: {embedded.name}, not Apache Kafka: {reason} {embedded.limits}")
        return embedded
    notify(f"Kafka: {apache.name}.")
    return apache


def _apache_kafka(folder: Path, options: StackOptions, notify: Notify) -> ApacheKafka | ApacheKafkaCluster:
    java = find_java()
    jars = fetch_jars(options.cache, notify)
    if options.replicated:
        return ApacheKafkaCluster(folder, java, jars, notify)
    return ApacheKafka(folder, java, jars, notify, proxied=options.proxied)


class LocalStack:
    """A PostgreSQL and a Kafka, started together and stopped together.

    Use it as a context manager, or call `start` and `stop`. However this process ends, the servers that it
    started end with it; given ones stay.

    Args:
        data_dir: for the data of both; a second stack on the same data works on what the first left.
        options: None: those of the environment.
        fast: for tests, PostgreSQL does not wait for the disk.
        notify: gets messages for people as they arise; `notes` keeps them.
    """

    def __init__(
        self,
        data_dir: Path,
        options: StackOptions | None = None,
        *,
        fast: bool = False,
        notify: Notify = ignore,
    ) -> None:
        self.notes: list[str] = []
        self._forward = notify
        self._kafka: Broker | None = None
        self._data_dir = data_dir.absolute()
        self._options = options if options is not None else StackOptions.from_environment()
        url = self._options.database_url
        self.postgres: LocalPostgres | GivenPostgres = (
            GivenPostgres(url) if url else LocalPostgres(self._data_dir / "postgres", fast, self._notify)
        )

    @property
    def kafka(self) -> Broker:
        """The broker that was chosen.

        Raises:
            LocalStackError: the stack was never started.
        """
        if self._kafka is None:
            raise LocalStackError(f"The local stack in {self._data_dir} is not started.")
        return self._kafka

    def start(self) -> None:
        """Choose a broker and start both servers; all or nothing.

        Raises:
            LocalStackError: one of them could not be started, and why.
        """
        kafka = self._kafka = choose_kafka(self._data_dir, self._options, self._notify)
        with ThreadPoolExecutor(1) as other_thread:
            postgres = other_thread.submit(self.postgres.start)
            try:
                kafka.start()
                postgres.result()
            except BaseException:
                postgres.exception()
                self.stop()
                raise

    def restart_ended(self) -> None:
        """Start a server again that was started here and has ended by itself; given ones are not checked.

        Raises:
            LocalStackError: it ended again and again, its data ended with it, or it could not be started.
        """
        for server in (self._kafka, self.postgres):
            if isinstance(server, OwnedService | ApacheKafkaCluster):
                server.restart_ended()

    def stop(self) -> None:
        """Stop what was started here, Kafka first: no event may arrive that cannot be written."""
        try:
            if self._kafka is not None:
                self._kafka.stop()
        finally:
            self.postgres.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _notify(self, line: str) -> None:
        self.notes.append(line)
        self._forward(line)
