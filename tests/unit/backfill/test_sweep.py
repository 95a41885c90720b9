"""The sweep: everything at long intervals, rows without a final root at short ones."""

from typing import Any
from unittest.mock import Mock

from llamalog_service.backfill.recomputes import Sweep

CORRECTED = 7


class _Sweep(Sweep):
    """Notes which sweep was due."""

    def __init__(self, now: list[float]) -> None:
        store: Any = Mock()
        super().__init__(store, every=10, full_every=35, clock=lambda: now[0])
        self.done: list[tuple[float, str]] = []
        self._now = now

    async def sweep_unsettled(self) -> int:
        self.done.append((self._now[0], "unsettled"))
        return CORRECTED

    async def sweep_everything(self) -> int:
        self.done.append((self._now[0], "everything"))
        return CORRECTED


async def test_everything_is_swept_at_its_interval_and_in_between_what_is_unsettled() -> None:
    now = [0.0]
    sweep = _Sweep(now)
    for second in range(0, 81, 5):
        now[0] = second
        corrected = await sweep.sweep_if_due()
        was_due = bool(sweep.done) and sweep.done[-1][0] == second
        assert corrected == (CORRECTED if was_due else 0)
    assert sweep.done == [
        (10, "unsettled"),
        (20, "unsettled"),
        (30, "unsettled"),
        (35, "everything"),
        (45, "unsettled"),
        (55, "unsettled"),
        (65, "unsettled"),
        (70, "everything"),
        (80, "unsettled"),
    ]
