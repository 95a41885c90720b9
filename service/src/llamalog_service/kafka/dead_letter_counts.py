"""The dead letters, counted."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping

from llamalog_service.kafka.dead_letter_reader import Coordinates, DeadLetterPosition, StoredDeadLetter


async def count_refusals(letters: AsyncIterator[list[StoredDeadLetter]]) -> Mapping[str, int]:
    """How many messages were refused, by reason; one that was refused twice counts once."""
    reasons: dict[Coordinates | DeadLetterPosition, str] = {}
    async for some in letters:
        reasons.update((letter.came_from or letter.position, letter.reason) for letter in some)
    return Counter(reasons.values())
