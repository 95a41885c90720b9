"""Whether a dead letter can be sent back, and what speaks against it."""

from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from llamalog_schemas.codec import decode_command, decode_event
from llamalog_schemas.errors import InvalidMessageError
from llamalog_service.kafka.dead_letters import StoredDeadLetter
from llamalog_service.kafka.topics import MAX_MESSAGE_BYTES, Topics

_FRAMING = 1024
_FRAMING_OF_A_HEADER = 10


class ReplayOutcome(StrEnum):
    """What becomes of a letter in a replay."""

    SENT = "sent"
    REPEATED = "repeated"
    CUT = "cut"
    INVALID = "invalid"
    TOO_LARGE = "too-large"
    ELSEWHERE = "elsewhere"
    FOREIGN = "foreign"


class Verdict(NamedTuple):
    """A letter's fate, and why it is not sent, for people."""

    fate: ReplayOutcome
    sentence: str = ""


SENT = Verdict(ReplayOutcome.SENT)


class ReplayPolicy:
    """Judges the letters of one replay.

    Args:
        topics: of this installation; letters go back to those that the service reads, and to no others.
        even_if_invalid: send also what the contract refuses still, and what will come back.
    """

    def __init__(self, topics: Topics, *, even_if_invalid: bool) -> None:
        self._events = topics.entity_events.name
        self._commands = topics.backfill_commands.name
        self._even_if_invalid = even_if_invalid
        self._seen: set[bytes] = set()

    def judge(self, letter: StoredDeadLetter) -> Verdict:
        """What becomes of a letter; of several that hold the same message only the first is sent."""
        if letter.came_from is None or letter.value is None:
            return Verdict(
                ReplayOutcome.FOREIGN, "it bears no header of llamalog's that says where it came from"
            )
        if letter.truncated is not None:
            return Verdict(
                ReplayOutcome.CUT,
                f"it was too large to be kept whole ({letter.truncated}); the whole message may still stand "
                f"in its topic at {letter.came_from}",
            )
        topic = letter.came_from.topic
        if topic not in (self._events, self._commands):
            return Verdict(
                ReplayOutcome.ELSEWHERE,
                f"it came from {topic}, which is no topic that this installation reads; "
                "look at LLAMALOG_TOPIC_PREFIX",
            )
        if (size := _size(letter)) > MAX_MESSAGE_BYTES - _FRAMING:
            return Verdict(
                ReplayOutcome.TOO_LARGE,
                f"its {size} bytes came compressed, and {topic} takes no such message plain",
            )
        if not self._even_if_invalid and (complaint := self._complaint(letter, letter.value)) is not None:
            return Verdict(ReplayOutcome.INVALID, f"the contract refuses it still: {complaint}")
        return self._first_or_repeated(letter)

    def _complaint(self, letter: StoredDeadLetter, value: bytes) -> str | None:
        """The judgement of the consumer that reads the letter's topic, by today's contract."""
        try:
            if letter.came_from is not None and letter.came_from.topic == self._commands:
                decode_command(value)
            else:
                decode_event(value, letter.headers)
        except InvalidMessageError as invalid:
            return invalid.sentence
        return None

    def _first_or_repeated(self, letter: StoredDeadLetter) -> Verdict:
        digest = _digest(letter)
        if digest in self._seen:
            return Verdict(ReplayOutcome.REPEATED, "another letter holds the same message")
        self._seen.add(digest)
        return SENT


def _size(letter: StoredDeadLetter) -> int:
    headers = sum(
        len(name.encode()) + len(content or b"") + _FRAMING_OF_A_HEADER for name, content in letter.headers
    )
    return len(letter.key or b"") + len(letter.value or b"") + headers


def _digest(letter: StoredDeadLetter) -> bytes:
    topic = letter.came_from.topic if letter.came_from is not None else None
    message = (topic, letter.key, letter.value, letter.headers)
    return blake2b(msgspec.msgpack.encode(message), digest_size=16).digest()
