"""Judges that break at one input: what the fuzzer has to find."""

import os
import time

from fuzz.inputs import Input, input_of

AT = 53
"""The number of an input of seed 1 that is like no other."""


def crashes(fuzzed: Input) -> str:
    if _is_planted(fuzzed):
        os.abort()
    return "event"


def stalls(fuzzed: Input) -> str:
    while _is_planted(fuzzed):
        time.monotonic()
    return "event"


def raises(fuzzed: Input) -> str:
    if _is_planted(fuzzed):
        raise RecursionError
    return "event"


def _is_planted(fuzzed: Input) -> bool:
    return fuzzed == input_of(1, AT)
