"""A batch is decoded in turns: heartbeats, fetches and answers to probes are due in between."""

import asyncio
import gc
import time
from typing import Any

from msgspec.structs import replace

from harness.writers import Message
from histories import event
from llamalog_schemas.codec import encode
from llamalog_service.bootstrap import tune_garbage_collector
from llamalog_service.ingest.batch import decode_batch, decode_in_turns

COSTLY: list[dict[str, Any]] = [
    {"numbers": [9e307] * 40_000},
    {"lists": [[]] * 80_000},
    {"objects": [{"a": 0}] * 30_000},
    {"texts": [*["a"] * 60_000, "\\u0000"]},
    {"integers": [0] * 120_000},
]


def message(number: int, metadata: dict[str, Any]) -> Message:
    one = event(number)
    return Message(encode(replace(one, data=replace(one.data, metadata=metadata))), number)


async def longest_hold(messages: list[Message]) -> float:
    """The longest time of this thread's own that decoding holds the event loop, in seconds."""
    longest, is_over = 0.0, False

    async def tick() -> None:
        nonlocal longest
        while not is_over:
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)

    ticking = asyncio.create_task(tick())
    decoded = await decode_in_turns(messages)
    is_over = True
    await ticking
    assert len(decoded.rows) == len(messages)
    return longest


async def test_the_loop_is_held_for_a_tenth_of_a_second_at_most() -> None:
    """In the quietest of some rounds: beside other work a core runs at less than half its speed."""
    messages = [message(number, COSTLY[number % len(COSTLY)]) for number in range(40)]
    thresholds = gc.get_threshold()
    tune_garbage_collector()
    longest = float("inf")
    try:
        for _ in range(10):
            longest = min(longest, await longest_hold(messages))
            if longest < 0.1:
                break
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
    assert longest < 0.1, "seconds of this thread's own time"


async def test_turns_change_nothing() -> None:
    messages = [message(number, {}) for number in range(5)] + [Message(None, 5), Message(b"{", 6)]
    assert await decode_in_turns(messages) == decode_batch(messages)
