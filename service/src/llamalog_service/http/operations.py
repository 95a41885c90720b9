"""What an installation can do besides being read: handed in by `wiring`, since it needs Kafka."""

from abc import ABC, abstractmethod
from uuid import UUID

from llamalog_schemas.commands import BackfillRootsData, RunRequest, RunRequestData
from llamalog_schemas.events import RootOverrideEvent
from llamalog_service.http.dead_letters import DeadLetterCounts, DeadLetterFilter, Letter
from llamalog_service.http.health import HealthSummary
from llamalog_service.live_feed.ring import Feed
from llamalog_service.queries.paging import Page


class Operations(ABC):
    """Each method raises UnavailableError where Kafka or PostgreSQL is away.

    Attributes:
        feed: the live feed.
    """

    feed: Feed

    @abstractmethod
    async def ask_for_backfill(self, run: UUID, data: BackfillRootsData) -> None:
        """Ask the migration consumer for a backfill; asking again for the same run is safe."""

    @abstractmethod
    async def ask_of_run(self, request: type[RunRequest], data: RunRequestData) -> None:
        """Ask the migration consumer to pause, resume or cancel a backfill."""

    @abstractmethod
    async def override_root(
        self, job: str, *, adopted: bool, reason: str, requested_by: str
    ) -> RootOverrideEvent:
        """Adopt a job never seen as a root, or take that back.

        Raises:
            LlamalogError: it would have no effect, or the contract refuses it.
        """

    @abstractmethod
    async def count_dead_letters(self) -> DeadLetterCounts:
        """The dead letters by reason.

        Raises:
            LlamalogError: there is no topic of dead letters.
        """

    @abstractmethod
    async def read_dead_letters(
        self, wanted: DeadLetterFilter, *, limit: int, after: str | None
    ) -> Page[Letter]:
        """A page of dead letters, the newest first.

        Raises:
            InvalidCursorError: `after` is none that a page told.
            LlamalogError: there is no topic of dead letters.
        """

    @abstractmethod
    async def health(self, live_streams: int) -> HealthSummary:
        """How the installation is; what is away is named in it, never an error."""
