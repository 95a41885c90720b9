"""Backfills that were asked for here: known from then on, though no consumer has kept them yet."""

from collections import OrderedDict
from typing import Final
from uuid import UUID

from llamalog_schemas.commands import BackfillRootsData

_MOST: Final = 1_000


class AskedRuns:
    """The runs asked for last."""

    def __init__(self) -> None:
        self._runs: OrderedDict[UUID, BackfillRootsData] = OrderedDict()

    def note(self, run: UUID, data: BackfillRootsData) -> None:
        """A backfill was asked for."""
        self._runs[run] = data
        if len(self._runs) > _MOST:
            self._runs.popitem(last=False)

    def find(self, run: UUID) -> BackfillRootsData | None:
        """What was asked for, None if that was not here, or long ago."""
        return self._runs.get(run)
