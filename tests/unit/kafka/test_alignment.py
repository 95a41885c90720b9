"""What waits and what is taken at once is bounded in memory as well as in number."""

from aiokafka import ConsumerRecord, TopicPartition

from llamalog_service.kafka.consumer.alignment import BATCH_COST, WAITING_COST, AlignedBuffer
from llamalog_service.kafka.record_batches import cost_of


def record(offset: int, value: bytes | None = b"{}", partition: int = 0) -> ConsumerRecord:
    size = -1 if value is None else len(value)
    return ConsumerRecord("events", partition, offset, offset, 0, None, value, None, -1, size, ())


def of_cost(offset: int, share: float, partition: int = 0) -> ConsumerRecord:
    """A record that costs a share of the most of a batch."""
    return record(offset, b"x" * int(BATCH_COST * share / 4), partition)


def offsets_taken(buffer: AlignedBuffer) -> list[list[int]]:
    return [[one.offset for one in batch] for batch in iter(lambda: buffer.take(()), [])]


def test_a_batch_is_cut_by_cost_and_by_number() -> None:
    buffer = AlignedBuffer(max_records=5)
    buffer.add([record(number) for number in range(7)])
    buffer.add([of_cost(number, 0.3) for number in range(7, 14)])
    assert offsets_taken(buffer) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12], [13]]


def test_a_record_that_costs_more_than_a_batch_is_taken_alone() -> None:
    buffer = AlignedBuffer(max_records=5)
    buffer.add([record(0), of_cost(1, 3.0), record(2)])
    assert offsets_taken(buffer) == [[0], [1], [2]]


def test_small_values_in_a_text_cost_more_than_its_bytes() -> None:
    lists = record(0, b"[" + b",".join([b"[]"] * 1000) + b"]")
    assert cost_of(lists) > 60 * 1000, "so many bytes take empty lists"
    assert cost_of(record(0, b"x" * 3000)) < 15_000
    assert cost_of(record(0, None)) < 1000


def test_a_partition_is_full_with_its_share_of_the_memory() -> None:
    buffer = AlignedBuffer(max_records=3000)
    buffer.add([of_cost(number, 0.1, partition=1) for number in range(10)])
    buffer.add([record(0, partition=2)])
    assert WAITING_COST == 3 * BATCH_COST
    assert buffer.full(partitions=2) == set()
    assert buffer.full(partitions=3) == {TopicPartition("events", 1)}
    while buffer.take(()):
        pass
    assert buffer.full(partitions=1000) == set()


def test_a_batch_that_was_given_up_comes_back_smaller_down_to_one_record() -> None:
    buffer = AlignedBuffer(max_records=6)
    sizes = []
    for _ in range(4):
        buffer.add([record(number) for number in range(6)])
        sizes.append(len(buffer.take(())))
        buffer.clear()
        buffer.shrink()
    for _ in range(4):
        buffer.grow()
        buffer.add([record(number) for number in range(6)])
        sizes.append(len(buffer.take(())))
        buffer.clear()
    assert sizes == [6, 3, 1, 1, 2, 6, 6, 6]


def test_its_cost_shrinks_as_well() -> None:
    buffer = AlignedBuffer(max_records=6000)
    buffer.shrink()
    buffer.add([of_cost(number, 0.2) for number in range(4)])
    assert offsets_taken(buffer) == [[0, 1], [2, 3]]


def test_where_only_a_full_batch_is_wanted_less_than_it_may_hold_stays() -> None:
    buffer = AlignedBuffer(max_records=5)
    buffer.add([record(number) for number in range(3)])
    assert buffer.take((), only_full=True) == []
    buffer.add([record(number) for number in range(3, 7)])
    assert [one.offset for one in buffer.take((), only_full=True)] == [0, 1, 2, 3, 4]
    assert buffer.take((), only_full=True) == []
    assert offsets_taken(buffer) == [[5, 6]]
    buffer.add([of_cost(number, 0.4) for number in range(7, 10)])
    assert len(buffer.take((), only_full=True)) == 2, "full by its cost"
    buffer.shrink()
    buffer.add([record(10)])
    assert len(buffer.take((), only_full=True)) == 2, "full by what a batch may hold at present"
