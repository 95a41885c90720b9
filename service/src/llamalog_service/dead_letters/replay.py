"""Dead letters sent back to the topics that they came from, byte for byte.

Repeating a replay is harmless: a message that was recorded meanwhile is a duplicate, and one that is refused
again is one more dead letter, of which a replay sends one at most.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from llamalog_service.dead_letters.policy import ReplayDecision, ReplayOutcome, ReplayPolicy
from llamalog_service.dead_letters.selection import DeadLetterNotFoundError, DeadLetterSelection
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.dead_letters import DeadLetterPosition, DeadLetterReader, StoredDeadLetter
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.retry import retry_until_available

_EXAMPLES = 20
_TIMEOUT = 60.0
"""Seconds for which a replay retries to send before it ends."""

Progress = Callable[["ReplayStats"], None]


@dataclass(slots=True)
class ReplayStats:
    """The counts of a replay; true also after it was stopped or has failed.

    Attributes:
        outcomes: selected dead letters by outcome; in a dry run, by the outcome that they would have.
        sent_by_reason: those sent, by the reason that they bear.
        not_sent: the first ones that were not sent, and why.
        read_to: the last position that was processed; a replay can resume behind it.
        is_stopped: whether it was cancelled before its end.
    """

    outcomes: Counter[ReplayOutcome] = field(default_factory=Counter)
    sent_by_reason: Counter[str] = field(default_factory=Counter)
    not_sent: list[tuple[StoredDeadLetter, ReplayDecision]] = field(default_factory=list)
    read_to: DeadLetterPosition | None = None
    is_stopped: bool = False

    def add(self, dead_letter: StoredDeadLetter, decision: ReplayDecision) -> None:
        """Count a dead letter."""
        self.outcomes[decision.outcome] += 1
        if decision.outcome is ReplayOutcome.SENT:
            self.sent_by_reason[dead_letter.reason] += 1
        elif decision.outcome is not ReplayOutcome.REPEATED and len(self.not_sent) < _EXAMPLES:
            self.not_sent.append((dead_letter, decision))

    @property
    def selected(self) -> int:
        """Dead letters that were counted."""
        return self.outcomes.total()

    @property
    def sent(self) -> int:
        """Dead letters that were sent, or would be."""
        return self.outcomes[ReplayOutcome.SENT]


async def replay(
    reader: DeadLetterReader,
    producer: MessageProducer | None,
    policy: ReplayPolicy,
    selection: DeadLetterSelection,
    *,
    after: DeadLetterPosition | None,
    stats: ReplayStats,
    progress: Progress,
    timeout: float,
) -> None:
    """Send the selected dead letters that the policy lets pass back to where they came from.

    Those of one key keep their order, and their partition by the key's rule. Cancelling it ends it in good
    order; the stats then have the position to resume at.

    Args:
        producer: None for a dry run, which decides and counts, and sends nothing.
        after: skip the dead letters up to this position.
        stats: is counted up as the replay proceeds.
        progress: called after every fetch.
        timeout: seconds to wait for Kafka at the beginning.

    Raises:
        DeadLetterNotFoundError: none has the coordinates of the selection.
        LlamalogError: Kafka was away for too long, or refuses a message.
    """
    spans = await retry_until_available(
        lambda: reader.spans(after), doing="finding dead letters", timeout=timeout
    )
    try:
        async with aclosing(reader.read(spans)) as batches:
            async for batch in batches:
                decided = [(one, policy.decide(one)) for one in batch if selection.matches(one)]
                if producer is not None:
                    sent = [one for one, decision in decided if decision.outcome is ReplayOutcome.SENT]
                    await _send(producer, policy, sent)
                for one, decision in decided:
                    stats.add(one, decision)
                stats.read_to = batch[-1].position
                progress(stats)
    except asyncio.CancelledError:
        stats.is_stopped = True
        return
    if selection.where is not None and not stats.selected:
        raise DeadLetterNotFoundError(selection.where)


async def _send(
    producer: MessageProducer, policy: ReplayPolicy, dead_letters: list[StoredDeadLetter]
) -> None:
    by_topic: dict[str, list[MessageToSend]] = {}
    for dead_letter in dead_letters:
        source = dead_letter.came_from
        if source is not None and (target := policy.target_of(source.topic)) is not None:
            message = MessageToSend(dead_letter.key, dead_letter.value, list(dead_letter.headers))
            by_topic.setdefault(target, []).append(message)
    for topic, messages in by_topic.items():

        async def send(topic: str = topic, messages: list[MessageToSend] = messages) -> None:
            await producer.send(topic, messages)

        await retry_until_available(send, doing=f"sending dead letters back to {topic}", timeout=_TIMEOUT)
