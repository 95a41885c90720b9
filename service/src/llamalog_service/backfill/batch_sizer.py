"""How large a backfill's next batch is, and how long it rests: pure, but for the clock it is given."""

from collections.abc import Callable

DEFAULT_BATCH = 2000
"""Rows a transaction where nobody asked for another number: some tenths of a second."""


class BatchSizer:
    """Batches shrink by half when rows are locked for too long, and grow back by a quarter.

    Args:
        largest: rows of a batch at most.
        size: rows of the first batch; those with which an interrupted run went on.
        rate: rows a second at most, None: as fast as it goes.
        clock: monotonic seconds.
    """

    def __init__(
        self, *, largest: int, size: int | None, rate: int | None, clock: Callable[[], float]
    ) -> None:
        self._largest = min(largest, rate) if rate is not None else largest  # about a batch a second at least
        self.size = min(size or self._largest, self._largest)
        self._rate = rate
        self._clock = clock
        self._began = clock()
        self._rows = 0

    @property
    def is_smallest(self) -> bool:
        """Whether a batch cannot shrink any more."""
        return self.size == 1

    @property
    def next_size(self) -> int:
        """What follows a batch of this size that could be written."""
        return min(self._largest, self.size + max(1, self.size // 4))

    @property
    def rows_per_second(self) -> float:
        """Since the pacer was made."""
        elapsed = self._clock() - self._began
        return round(self._rows / elapsed, 1) if elapsed > 0 else 0.0

    def shrink(self) -> None:
        """Rows of the batch were locked."""
        self.size = max(1, self.size // 2)

    def wrote(self, rows: int) -> float:
        """A batch of so many rows was written; the seconds to rest before the next."""
        self._rows += rows
        self.size = self.next_size
        if self._rate is None:
            return 0.0
        return max(0.0, self._rows / self._rate - (self._clock() - self._began))
