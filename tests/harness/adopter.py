"""An owner who adopts an old database: PostgreSQL, the command line, and no Kafka at all."""

from pathlib import Path

from harness.commands import llamalog_here
from harness.environments import environment_of_database
from harness.started_commands import Ended, StartedCommand, started


class Adopter:
    """Runs `llamalog adopt` on a database.

    Args:
        folder: where its processes are run, so that no `.env` is read.
    """

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url
        self._folder = folder
        self.environment = environment_of_database(database_url)

    async def adopt(self, *words: str) -> Ended:
        """Run it to its end, in this process."""
        return await llamalog_here("adopt", *words, environment=self.environment)

    async def begin(self, *words: str) -> StartedCommand:
        """Start it as a process of its own."""
        return await started("adopt", *words, environment=self.environment, folder=self._folder)
