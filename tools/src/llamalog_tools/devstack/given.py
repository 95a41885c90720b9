"""Servers that run already and are given by their address: used as they are, never stopped."""

from __future__ import annotations

from urllib.parse import urlsplit

from llamalog_tools.devstack.data_dir import is_reachable
from llamalog_tools.devstack.errors import LocalStackError

_POSTGRES_PORT = 5432


class GivenKafka:
    """A broker named by LLAMALOG_KAFKA as host:port, or several with commas between them.

    Raises:
        LocalStackError: the value is no such list.
    """

    name = "the given Kafka"
    durable = True
    limits: str | None = None

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap.strip()
        self._addresses = [_host_and_port(part.strip()) for part in self.bootstrap.split(",")]

    @property
    def cluster_id(self) -> str:
        """Its address: no more is known about it here."""
        return f"given-{self.bootstrap}"

    def start(self) -> None:
        """See that it answers.

        Raises:
            LocalStackError: none of its addresses does.
        """
        if not any(is_reachable(host, port) for host, port in self._addresses):
            raise LocalStackError(
                f"Kafka was given as {self.bootstrap} (LLAMALOG_KAFKA), but nothing answers there. "
                "Start it, or unset the variable to let llamalog start a broker of its own."
            )

    def stop(self) -> None:
        """Leaves it running: it is not ours."""

    def kill(self) -> None:
        """Refuses: it is not ours."""
        raise _not_ours(self.name)

    def restart(self) -> None:
        """Refuses: it is not ours."""
        raise _not_ours(self.name)


class GivenPostgres:
    """A PostgreSQL named by LLAMALOG_DATABASE_URL."""

    name = "the given PostgreSQL"

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self) -> None:
        """See that it answers, if the address has a host.

        Raises:
            LocalStackError: it doesn't.
        """
        address = urlsplit(self.url)
        if address.hostname and not is_reachable(address.hostname, address.port or _POSTGRES_PORT):
            raise LocalStackError(
                f"PostgreSQL was given as {_without_password(self.url)} (LLAMALOG_DATABASE_URL), but nothing "
                "answers there. Start it, or unset the variable to let llamalog start one of its own."
            )

    def stop(self) -> None:
        """Leaves it running: it is not ours."""

    def kill(self) -> None:
        """Refuses: it is not ours."""
        raise _not_ours(self.name)

    def restart(self) -> None:
        """Refuses: it is not ours."""
        raise _not_ours(self.name)


def _not_ours(name: str) -> LocalStackError:
    return LocalStackError(f"{name} was not started by llamalog, which therefore does not stop it.")


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise LocalStackError(f"LLAMALOG_KAFKA has to be host:port, as in 127.0.0.1:9092; it has {text!r}.")
    return host.strip("[]"), int(port)


def _without_password(url: str) -> str:
    address = urlsplit(url)
    return url.replace(f":{address.password}@", ":…@") if address.password else url
