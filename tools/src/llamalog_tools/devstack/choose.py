"""Which Kafka: the given one, else Apache Kafka, else the embedded broker; and why."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from llamalog_tools.devstack.apache_kafka import ApacheKafka, fetch_jars, find_java
from llamalog_tools.devstack.embedded_kafka import EmbeddedKafka
from llamalog_tools.devstack.errors import ApacheKafkaUnavailableError
from llamalog_tools.devstack.given import GivenKafka
from llamalog_tools.devstack.options import EMBEDDED, StackOptions
from llamalog_tools.devstack.service import Say, silent


class Broker(Protocol):
    """What every Kafka of the local stack is to its users."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def durable(self) -> bool:
        """False if its topics are gone when it stops; a database that knows their offsets is void then."""

    @property
    def limits(self) -> str | None:
        """What it cannot do, in one line; None: nothing that llamalog needs."""

    @property
    def bootstrap(self) -> str:
        """Addresses, as host:port, with commas between them; known once started."""

    @property
    def memory_id(self) -> str:
        """Names what it remembers: offsets noted under one id mean nothing under another."""

    def start(self) -> None:
        """Start it and wait until it serves."""

    def stop(self) -> None:
        """End it in good order, unless it was given."""

    def kill(self) -> None:
        """End it as a crash would."""

    def restart(self) -> None:
        """Stop it and start it on what it left, at the same address if that is still free."""


def choose_kafka(data_dir: Path, options: StackOptions, say: Say = silent) -> Broker:
    """The broker to use, not yet started; says which it is, and why no better one.

    Args:
        data_dir: the stack's; each kind of broker has a folder of its own in it.
        options: what was asked for.
        say: hears the reasons, a sentence each.

    Raises:
        ApacheKafkaUnavailableError: Apache Kafka is required and cannot be had.
        LocalStackError: the broker given is no host:port.
    """
    if options.kafka and options.kafka != EMBEDDED:
        say(f"Kafka: the one given, {options.kafka}.")
        return GivenKafka(options.kafka)
    try:
        if options.kafka == EMBEDDED:
            raise ApacheKafkaUnavailableError(f"LLAMALOG_KAFKA={EMBEDDED} asks for the embedded broker.")
        apache = _apache_kafka(data_dir / "kafka", options, say)
    except ApacheKafkaUnavailableError as reason:
        if options.require_apache:
            raise ApacheKafkaUnavailableError(
                f"Apache Kafka is required (LLAMALOG_REQUIRE_APACHE_KAFKA), but: {reason}"
            ) from reason
        embedded = EmbeddedKafka(data_dir / "embedded-kafka", say)
        say(f"Kafka: {embedded.name}, not Apache Kafka: {reason} {embedded.limits}")
        return embedded
    say(f"Kafka: {apache.name}.")
    return apache


def _apache_kafka(folder: Path, options: StackOptions, say: Say) -> ApacheKafka:
    java = find_java()
    return ApacheKafka(folder, java, fetch_jars(options.cache, say), say)
