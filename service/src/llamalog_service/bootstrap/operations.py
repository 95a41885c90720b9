"""What the API and its pages can have done: asked for over Kafka."""

from typing import Final
from uuid import UUID

from llamalog_schemas.commands import BackfillRootsData, RunRequest, RunRequestData
from llamalog_schemas.events import RootOverrideEvent
from llamalog_service.bootstrap.backfills import ask_for_backfill, ask_of_run
from llamalog_service.bootstrap.dead_letter_views import DeadLetterViews
from llamalog_service.bootstrap.health import HealthWatch
from llamalog_service.bootstrap.overrides import override_root
from llamalog_service.http.dead_letters import DeadLetterCounts, DeadLetterFilter, Letter
from llamalog_service.http.health import HealthSummary
from llamalog_service.http.operations import Operations
from llamalog_service.live_feed.ring import Feed
from llamalog_service.queries.paging import Page
from llamalog_service.settings import Settings

_TIMEOUT: Final = 5.0
"""Seconds that somebody waits for Kafka who has asked over HTTP."""


class InstalledOperations(Operations):
    """Those of an installation."""

    def __init__(self, settings: Settings, feed: Feed, health: HealthWatch) -> None:
        self._settings = settings
        self._letters = DeadLetterViews(settings)
        self._health = health
        self.feed = feed

    async def ask_for_backfill(self, run: UUID, data: BackfillRootsData) -> None:
        """Ask the migration consumer for a backfill; asking again for the same run is safe."""
        await ask_for_backfill(self._settings, run, data, timeout=_TIMEOUT)

    async def ask_of_run(self, request: type[RunRequest], data: RunRequestData) -> None:
        """Ask the migration consumer to pause, resume or cancel a backfill."""
        await ask_of_run(self._settings, request, data, timeout=_TIMEOUT)

    async def override_root(
        self, job: str, *, adopted: bool, reason: str, requested_by: str
    ) -> RootOverrideEvent:
        """Adopt a job never seen as a root, or take that back."""
        published = await override_root(
            self._settings,
            job,
            adopted=adopted,
            reason=reason,
            requested_by=requested_by,
            timeout=_TIMEOUT,
        )
        return published.override

    async def count_dead_letters(self) -> DeadLetterCounts:
        """The dead letters by reason."""
        return await self._letters.counts()

    async def read_dead_letters(
        self, wanted: DeadLetterFilter, *, limit: int, after: str | None
    ) -> Page[Letter]:
        """A page of dead letters, the newest first."""
        return await self._letters.page(wanted, limit=limit, after=after)

    async def health(self, live_streams: int) -> HealthSummary:
        """How the installation is."""
        return await self._health.summary(live_streams)
