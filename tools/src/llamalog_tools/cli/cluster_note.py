"""The note of which Kafka cluster a database of a local stack was filled from.

The database keeps offsets of that cluster. A broker that lost its topics, or another one, gives the same
offsets to other messages: the log then has to be emptied, or to be left alone.
"""

import json
from pathlib import Path

from llamalog_service.domain.errors import LlamalogError

NOTE = "filled-from.json"
"""The note's file in the data directory."""


class OtherClusterError(LlamalogError):
    """A given database was filled from another Kafka than the one that runs now."""

    def __init__(self, database: str, kafka: str) -> None:
        super().__init__(
            f"The database {database} was filled from another Kafka than {kafka}, whose offsets mean other "
            "messages. Nothing was changed: the database was given, so it is not emptied here. "
            "Give it the Kafka that it was filled from (LLAMALOG_KAFKA), give an empty database, or unset "
            "LLAMALOG_DATABASE_URL to let llamalog keep one of its own."
        )


class ClusterNote:
    """The note of a data directory about one database.

    Args:
        data_dir: where the note is kept.
        database: names the database, without secrets.
    """

    def __init__(self, data_dir: Path, database: str) -> None:
        self._file = data_dir / NOTE
        self._database = database

    def read(self) -> str | None:
        """The id of the cluster that the database was filled from; None if none was noted."""
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))
            cluster_id: str | None = noted["memory"] if noted["database"] == self._database else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return cluster_id

    def write(self, cluster_id: str) -> None:
        """Note the id of the cluster that the database is filled from now on."""
        self._file.write_text(
            json.dumps({"database": self._database, "memory": cluster_id}) + "\n", encoding="utf-8"
        )


def is_stale(noted: str | None, cluster_id: str, *, durable: bool, has_read: bool) -> bool:
    """Whether the offsets in a database are those of another cluster than the one that runs now.

    Args:
        noted: the id of the cluster that the database was filled from; None if none was noted.
        cluster_id: of the running cluster.
        durable: whether the running cluster may be older than this start. If so, and nothing was noted, the
            consumer's own check of its positions decides.
        has_read: whether the database has offsets at all.
    """
    if not has_read:
        return False
    return not durable if noted is None else noted != cluster_id
