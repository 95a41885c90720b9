"""What an installation can do besides being read: handed in by `wiring`, since it needs Kafka."""

from abc import ABC, abstractmethod
from uuid import UUID

from llamalog_schemas.commands import BackfillRootsData, RunRequest, RunRequestData
from llamalog_schemas.events import RootDecree


class Operations(ABC):
    """Each method raises UnavailableError where Kafka or PostgreSQL is away."""

    @abstractmethod
    async def ask_for_backfill(self, run: UUID, data: BackfillRootsData) -> None:
        """Ask the migration consumer for a backfill; asking again for the same run is safe."""

    @abstractmethod
    async def ask_of_run(self, request: type[RunRequest], data: RunRequestData) -> None:
        """Ask the migration consumer to pause, resume or cancel a backfill."""

    @abstractmethod
    async def decree_root(self, job: str, *, adopted: bool, reason: str, requested_by: str) -> RootDecree:
        """Adopt a job never seen as a root, or take that back.

        Raises:
            LlamalogError: it would have no effect, or the contract refuses it.
        """
