"""Backfills that were asked for here: known from then on, though no consumer has kept them yet."""

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from llamalog_schemas.backfills import BackfillPhase, RootCounts, RunStatus
from llamalog_schemas.commands import BackfillRootsData
from llamalog_service.queries.backfills import BackfillRun

_MAX: Final = 1_000


class AskedRuns:
    """The runs asked for last."""

    def __init__(self) -> None:
        self._runs: OrderedDict[UUID, BackfillRun] = OrderedDict()

    def note(self, run: UUID, data: BackfillRootsData) -> None:
        """A backfill was asked for."""
        self._runs.setdefault(run, _queued(run, data))
        if len(self._runs) > _MAX:
            self._runs.popitem(last=False)

    def find(self, run: UUID) -> BackfillRun | None:
        """The run as it will be kept, None if it was not asked for here, or long ago."""
        return self._runs.get(run)


def _queued(run: UUID, data: BackfillRootsData) -> BackfillRun:
    return BackfillRun(
        run=run,
        status=RunStatus.QUEUED,
        phase=BackfillPhase.WAITING,
        request=data,
        requested_at=datetime.now(UTC),
        started_at=None,
        finished_at=None,
        wish=None,
        rows=0,
        scanned=0,
        set_=0,
        left=0,
        by_class=RootCounts(),
        rows_per_second=0.0,
        error=None,
        report=None,
    )
