"""Free ports on 127.0.0.1, the same ones again at the next start of the same data."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from llamalog_tools.devstack.errors import LocalStackError

HOST = "127.0.0.1"

# Below the range from which the kernel takes the ports of outgoing connections: a client that keeps trying
# to reach a broker which is down could otherwise be given the broker's own port, and hold it.
_LOWEST, _HIGHEST = 20_000, 31_999
_TRIES = 200


def is_free(port: int) -> bool:
    """True if a server could listen on the port now (connections in TIME_WAIT don't hinder one)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def is_reachable(host: str, port: int, timeout: float = 5.0) -> bool:
    """True if something accepts connections at host:port within `timeout` seconds."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


class RememberedPorts:
    """Named ports, kept in a small JSON file so that printed addresses go on working after a restart."""

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self._file = file
        self._names = tuple(names)

    def take(self, say: Callable[[str], None]) -> dict[str, int]:
        """The ports by name: those of the last time where they are free, new ones where they aren't."""
        last = self._load()
        ports: dict[str, int] = {}
        for name in self._names:
            known = last.get(name)
            if known is not None and is_free(known):
                ports[name] = known
                continue
            ports[name] = _new_port(taken=ports.values())
            if known is not None:
                say(f"Port {known} ({name}) is taken by another process; using {ports[name]} from now on.")
        self._file.write_text(json.dumps(ports))
        return ports

    def _load(self) -> dict[str, int]:
        try:
            return {name: int(port) for name, port in json.loads(self._file.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}


def _new_port(taken: Collection[int]) -> int:
    for _ in range(_TRIES):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST + 1)
        if port not in taken and is_free(port):
            return port
    raise LocalStackError(f"No free port was found on {HOST} between {_LOWEST} and {_HIGHEST}.")
