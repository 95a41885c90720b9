"""The dead letters, counted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from llamalog_service.publish.offsets import Offsets

UNNAMED: Final = "(no reason given)"

_COORDINATES = ("llamalog-topic", "llamalog-partition", "llamalog-offset")


async def count_refusals(reader: AIOKafkaConsumer, ends: Offsets) -> Mapping[str, int]:
    """How many messages were refused, by reason; one that was refused twice counts once.

    Args:
        reader: a started consumer of no group, newly made: it is assigned the partitions.
        ends: of the partitions of the topic of dead letters, which is read up to there.
    """
    left = {partition: end for partition, end in ends.items() if end > 0}
    reasons: dict[tuple[bytes | None, ...], str] = {}
    reader.assign(list(left))
    while left:
        for letters in (await reader.getmany(timeout_ms=200)).values():
            reasons.update(_reasons(letters))
        for partition in list(left):
            if await reader.position(partition) >= left[partition]:
                del left[partition]
    return Counter(reasons.values())


def _reasons(letters: Iterable[ConsumerRecord]) -> Iterable[tuple[tuple[bytes | None, ...], str]]:
    """By the coordinates of the refused message; the headers that came with it stand before ours."""
    for letter in letters:
        headers = dict(letter.headers)
        reason = headers.get("llamalog-reason")
        where = tuple(headers.get(name) for name in _COORDINATES)
        yield where, UNNAMED if reason is None else reason.decode(errors="replace")
