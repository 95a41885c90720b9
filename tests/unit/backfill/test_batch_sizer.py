"""The size of batches: by locks, by the time that one takes, by the rate."""

from llamalog_service.backfill.batches import DEFAULT_BATCH, BatchSizer


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def write(sizer: BatchSizer, clock: Clock, seconds: float) -> int:
    """Write a batch that takes so long; its size."""
    size = sizer.size
    sizer.begin_batch()
    clock.now += seconds
    sizer.grow(size)
    return size


def sizes(sizer: BatchSizer, clock: Clock, *seconds: float) -> list[int]:
    return [write(sizer, clock, one) for one in seconds]


def test_batches_grow_while_they_are_quick_and_shrink_when_they_are_not() -> None:
    sizer = BatchSizer(largest=None, size=None, rate=None, clock=(clock := Clock()))
    assert sizes(sizer, clock, 0.1, 0.1, 0.3, 0.3, 0.3, 0.1) == [2000, 2500, 3125, 2344, 2000, 2000]
    grown = sizes(sizer, clock, *[0.1] * 20)
    assert grown == sorted(grown)
    assert grown[-1] == 10_000


def test_batches_of_a_given_size_are_not_timed() -> None:
    sizer = BatchSizer(largest=5000, size=None, rate=None, clock=(clock := Clock()))
    assert sizes(sizer, clock, 9, 0.1, 9) == [5000, 5000, 5000]


def test_a_lock_halves_a_batch_and_the_next_ones_grow_back_however_long_they_take() -> None:
    sizer = BatchSizer(largest=None, size=None, rate=None, clock=(clock := Clock()))
    sizer.shrink()
    assert sizes(sizer, clock, 9, 9, 9, 9, 9) == [1000, 1250, 1562, 1952, 2440]
    assert sizer.size == DEFAULT_BATCH


def test_an_interrupted_run_resumes_with_its_size_within_its_limits() -> None:
    clock = Clock()
    assert BatchSizer(largest=None, size=7000, rate=None, clock=clock).size == 7000
    assert BatchSizer(largest=100, size=7000, rate=None, clock=clock).size == 100
    assert BatchSizer(largest=None, size=None, rate=50, clock=clock).size == 50
