"""The errors of this distribution; an error's message names the fault and its place."""

from enum import StrEnum


class LlamalogSchemasError(Exception):
    """The base of every error that llamalog-schemas raises."""


class InvalidReason(StrEnum):
    """The reason why a message is invalid: the code a dead letter bears in ``llamalog-reason``."""

    EMPTY = "empty-value"
    TOO_LARGE = "value-too-large"
    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    TOO_DEEP = "nested-too-deep"
    NO_TYPE = "no-type"
    UNKNOWN_TYPE = "unknown-type"
    BAD_ENVELOPE = "bad-envelope"
    BAD_HEADER = "bad-header"
    BAD_FIELD = "bad-field"
    UNKNOWN_FIELD = "unknown-field"
    BAD_TIME = "bad-time"
    NUL_CHARACTER = "nul-character"
    NUMBER_OUT_OF_RANGE = "number-out-of-range"
    SELF_PARENT = "self-parent"


class InvalidMessageError(LlamalogSchemasError):
    """The bytes are no message of the contract.

    Attributes:
        reason: why, as a code that does not change between versions.
        sentence: why, for people, with the field where there is one.
    """

    def __init__(self, reason: InvalidReason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
