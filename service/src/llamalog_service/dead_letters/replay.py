"""Dead letters back to the topics that they came from, byte for byte.

Doing it again is harmless: a message that was recorded meanwhile is a duplicate, and one that is refused
again is one more dead letter, of which a replay sends one at most.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from llamalog_service.dead_letters.replay_policy import ReplayOutcome, ReplayPolicy, Verdict
from llamalog_service.dead_letters.selection import Selection
from llamalog_service.kafka.dead_letters import DeadLetterPosition, StoredDeadLetter
from llamalog_service.kafka.messages import OutgoingMessage
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.retry import retry_until_available

_REFUSALS_TOLD = 20
_TIMEOUT = 60.0
"""Seconds that a replay waits for Kafka before it ends and says how to go on."""

Progress = Callable[["Tally"], None]


@dataclass(slots=True)
class Tally:
    """What a replay has come to.

    Attributes:
        fates: letters by what became of them; in a dry run by what would.
        sent: of those, by the reason that they bore.
        refusals: the first letters that were not sent, and why.
        read_to: the last letter that was dealt with or passed over: a replay may go on behind it.
        stopped: somebody ended it before its end.
    """

    fates: Counter[ReplayOutcome] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    refusals: list[tuple[StoredDeadLetter, Verdict]] = field(default_factory=list)
    read_to: DeadLetterPosition | None = None
    stopped: bool = False

    def add(self, letter: StoredDeadLetter, verdict: Verdict) -> None:
        """Count a letter that was dealt with."""
        self.fates[verdict.fate] += 1
        if verdict.fate is ReplayOutcome.SENT:
            self.sent[letter.reason] += 1
        elif verdict.fate is not ReplayOutcome.REPEATED and len(self.refusals) < _REFUSALS_TOLD:
            self.refusals.append((letter, verdict))

    @property
    def meant(self) -> int:
        """Letters that were dealt with."""
        return self.fates.total()


async def replay(
    letters: AsyncIterator[list[StoredDeadLetter]],
    selection: Selection,
    judge: ReplayPolicy,
    publisher: MessageProducer | None,
    *,
    tally: Tally,
    progress: Progress,
) -> None:
    """Send letters back; those of one key keep their order, and their partition by the key's rule.

    Being cancelled ends it in good order: the tally says how far it came.

    Args:
        letters: all that there are, in lists.
        selection: those that are meant.
        publisher: None for a dry run, which only judges.
        tally: counts what is acknowledged, and stays true if an error ends the replay.
        progress: called after every list.

    Raises:
        LlamalogError: Kafka was away for too long, or refuses a message.
    """
    try:
        async for some in letters:
            judged = [(letter, judge.judge(letter)) for letter in some if selection.takes(letter)]
            if publisher is not None:
                await _send(
                    publisher, [letter for letter, verdict in judged if verdict.fate is ReplayOutcome.SENT]
                )
            for letter, verdict in judged:
                tally.add(letter, verdict)
            tally.read_to = some[-1].position
            progress(tally)
    except asyncio.CancelledError:
        tally.stopped = True


async def _send(publisher: MessageProducer, letters: list[StoredDeadLetter]) -> None:
    by_topic: dict[str, list[OutgoingMessage]] = {}
    for letter in letters:
        if letter.came_from is not None:
            message = OutgoingMessage(letter.key, letter.value, list(letter.headers))
            by_topic.setdefault(letter.came_from.topic, []).append(message)
    for topic, messages in by_topic.items():

        async def publish(topic: str = topic, messages: list[OutgoingMessage] = messages) -> None:
            await publisher.send(topic, messages)

        await retry_until_available(publish, doing=f"sending dead letters back to {topic}", timeout=_TIMEOUT)
