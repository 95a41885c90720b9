"""Policy of a replay: the dead letters that it sends, and the reasons for the others."""

from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from llamalog_schemas.codec import decode_command, decode_event
from llamalog_schemas.errors import InvalidMessageError
from llamalog_service.kafka.dead_letters import StoredDeadLetter
from llamalog_service.kafka.topics import MAX_MESSAGE_BYTES, Topics, names_former_topic

_FRAMING = 1024
_FRAMING_OF_A_HEADER = 10


class ReplayOutcome(StrEnum):
    """The outcomes of a dead letter in a replay."""

    SENT = "sent"
    REPEATED = "repeated"
    CUT = "cut"
    INVALID = "invalid"
    TOO_LARGE = "too-large"
    ELSEWHERE = "elsewhere"
    FOREIGN = "foreign"


class ReplayDecision(NamedTuple):
    """The outcome of a dead letter; unless it is sent, why not, for people."""

    outcome: ReplayOutcome
    sentence: str = ""


SENT = ReplayDecision(ReplayOutcome.SENT)


class ReplayPolicy:
    """Decides about the dead letters of one replay.

    Args:
        topics: of this installation; only messages of the topics that the service reads are sent.
        even_if_invalid: send also messages that the contract still refuses, which will be dead letters again.
    """

    def __init__(self, topics: Topics, *, even_if_invalid: bool) -> None:
        self._events = topics.entity_events.name
        self._commands = topics.backfill_commands.name
        self._even_if_invalid = even_if_invalid
        self._seen: set[bytes] = set()

    def decide(self, dead_letter: StoredDeadLetter) -> ReplayDecision:
        """The outcome of a dead letter; of several that hold the same message only the first is sent."""
        source, value = dead_letter.came_from, dead_letter.value
        if source is None or value is None:
            return ReplayDecision(
                ReplayOutcome.FOREIGN, "it bears no header of llamalog's that says where it came from"
            )
        if dead_letter.truncated is not None:
            return ReplayDecision(
                ReplayOutcome.CUT,
                f"it was too large to be kept whole ({dead_letter.truncated}); the whole message may still "
                f"be in its topic at {source}",
            )
        if self.target_of(source.topic) is None:
            return ReplayDecision(
                ReplayOutcome.ELSEWHERE,
                f"it came from {source.topic}, which is no topic that this installation reads; "
                "check LLAMALOG_TOPIC_PREFIX",
            )
        if (size := _size(dead_letter)) > MAX_MESSAGE_BYTES - _FRAMING:
            return ReplayDecision(
                ReplayOutcome.TOO_LARGE,
                f"its {size} bytes came compressed, and {source.topic} takes no such message uncompressed",
            )
        if not self._even_if_invalid and (fault := self._contract_fault(dead_letter, value)) is not None:
            return ReplayDecision(ReplayOutcome.INVALID, f"the contract still refuses it: {fault}")
        return self._first_or_repeated(dead_letter)

    def target_of(self, topic: str) -> str | None:
        """The topic that a message is sent back to, by the one that it came from."""
        if topic == self._commands:
            return topic
        is_of_events = topic == self._events or names_former_topic(self._events, topic)
        return self._events if is_of_events else None

    def _contract_fault(self, dead_letter: StoredDeadLetter, value: bytes) -> str | None:
        """The reason why the message's consumer would refuse it now; None if it would not."""
        try:
            if dead_letter.came_from is not None and dead_letter.came_from.topic == self._commands:
                decode_command(value)
            else:
                decode_event(value, dead_letter.headers)
        except InvalidMessageError as invalid:
            return invalid.sentence
        return None

    def _first_or_repeated(self, dead_letter: StoredDeadLetter) -> ReplayDecision:
        digest = _digest(dead_letter)
        if digest in self._seen:
            return ReplayDecision(ReplayOutcome.REPEATED, "another dead letter holds the same message")
        self._seen.add(digest)
        return SENT


def _size(dead_letter: StoredDeadLetter) -> int:
    headers = sum(
        len(name.encode()) + len(content or b"") + _FRAMING_OF_A_HEADER
        for name, content in dead_letter.headers
    )
    return len(dead_letter.key or b"") + len(dead_letter.value or b"") + headers


def _digest(dead_letter: StoredDeadLetter) -> bytes:
    topic = dead_letter.came_from.topic if dead_letter.came_from is not None else None
    message = (topic, dead_letter.key, dead_letter.value, dead_letter.headers)
    return blake2b(msgspec.msgpack.encode(message), digest_size=16).digest()
