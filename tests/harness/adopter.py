"""An owner who adopts an old database: PostgreSQL, the command line, and no Kafka at all."""

from pathlib import Path

from harness.environments import environment_of_database
from harness.started_commands import Ended, StartedCommand, llamalog, started


class Adopter:
    """Runs `llamalog adopt` on a database, as a process of its own.

    Args:
        folder: where it is run, so that no `.env` is read.
    """

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url
        self._folder = folder
        self.environment = environment_of_database(database_url)

    async def adopt(self, *words: str) -> Ended:
        return await llamalog("adopt", *words, environment=self.environment, folder=self._folder)

    async def begin(self, *words: str) -> StartedCommand:
        return await started("adopt", *words, environment=self.environment, folder=self._folder)
