"""The format of a new folder of topics, as Kafka's StorageTool writes it, kept beside the jars.

A start without the tool takes half the time. The tool writes the cluster's id and a checkpoint of the
features that a cluster begins with. The checkpoint depends on Kafka's version alone; the directory's id,
which is left out here, is added by the broker. https://kafka.apache.org/documentation/#kraft_storage
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

_CHECKPOINT = "bootstrap.checkpoint"
_PROPERTIES = "meta.properties"


class KeptFormat:
    """The checkpoint for a folder of jars.

    Args:
        jars: the folder with Kafka's jars; the checkpoint is kept beside it.
    """

    def __init__(self, jars: Path) -> None:
        self._checkpoint = jars.with_name(f"{jars.name}-{_CHECKPOINT}")

    def apply(self, topics: Path, node: int, cluster_id: str) -> bool:
        """Format a folder of topics; False if no checkpoint is kept yet."""
        if not self._checkpoint.exists():
            return False
        shutil.copyfile(self._checkpoint, topics / _CHECKPOINT)
        half = topics / f"{_PROPERTIES}.half"
        half.write_text(f"version=1\nnode.id={node}\ncluster.id={cluster_id}\n")
        half.rename(topics / _PROPERTIES)
        return True

    def keep(self, topics: Path) -> None:
        """Keep the checkpoint that the tool has written; where that cannot be, do without."""
        half = self._checkpoint.with_name(f"{self._checkpoint.name}.{topics.stat().st_ino}")
        with suppress(OSError):
            shutil.copyfile(topics / _CHECKPOINT, half)
            half.rename(self._checkpoint)
