"""Whether the database and the Kafka of a local stack still belong together.

The database keeps offsets of what it was filled from. A broker that forgot its topics, or another one, gives
the same offsets to other messages: the log then has to begin anew, or to be left alone.
"""

import json
from pathlib import Path

from llamalog_service.domain.errors import LlamalogError

NOTE = "filled-from.json"
"""The file in the data directory that says from which Kafka's memory which database was filled."""


class OtherKafkaError(LlamalogError):
    """A given database was filled from another Kafka than the one that runs now."""

    def __init__(self, database: str, kafka: str) -> None:
        super().__init__(
            f"The database {database} was filled from another Kafka than {kafka}, whose offsets mean other "
            "messages. Nothing was changed: the database was given, so it is not emptied here. "
            "Give it the Kafka that it was filled from (LLAMALOG_KAFKA), give an empty database, or unset "
            "LLAMALOG_DATABASE_URL to let llamalog keep one of its own."
        )


class FilledFrom:
    """The note of a data directory about one database.

    Args:
        data_dir: where the note is kept.
        database: names the database, without secrets.
    """

    def __init__(self, data_dir: Path, database: str) -> None:
        self._file = data_dir / NOTE
        self._database = database

    def read(self) -> str | None:
        """The memory that the database was filled from, as far as it was noted."""
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))
            memory: str | None = noted["memory"] if noted["database"] == self._database else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return memory

    def write(self, memory: str) -> None:
        """Note the memory that the database is filled from now on."""
        self._file.write_text(
            json.dumps({"database": self._database, "memory": memory}) + "\n", encoding="utf-8"
        )


def is_void(noted: str | None, memory: str, *, durable: bool, has_read: bool) -> bool:
    """Whether the offsets in a database mean nothing in the Kafka that runs now.

    Args:
        noted: the memory that the database was filled from; None where nobody noted it.
        memory: the one that the running Kafka has.
        durable: whether that may be older than this start. If so, and nothing was noted, the consumer's own
            check of its positions decides.
        has_read: whether the database has offsets at all.
    """
    if not has_read:
        return False
    return not durable if noted is None else noted != memory
