"""Somebody who adopts an old database: PostgreSQL, the command line, and no Kafka at all."""

import os
from pathlib import Path

from harness.started_commands import Ended, StartedCommand, llamalog, started


class Adopter:
    """Runs `llamalog adopt` on a database, as a process of its own.

    Args:
        folder: where it is run, so that no `.env` is read.
    """

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url
        self._folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LLAMALOG_")}
        self.environment = {**kept, "LLAMALOG_DATABASE_URL": database_url, "LLAMALOG_LOG_FORMAT": "json"}

    async def adopt(self, *words: str) -> Ended:
        return await llamalog("adopt", *words, environment=self.environment, folder=self._folder)

    async def begin(self, *words: str) -> StartedCommand:
        return await started("adopt", *words, environment=self.environment, folder=self._folder)
