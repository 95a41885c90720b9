"""Microseconds to decode one event: our msgspec models against equivalent pydantic models.

Run with ``PYTHONPATH=tests .venv/bin/python -m bench.decode``. All decode the events of the sample
catalogue, batch by batch as the consumer does, in turn, so that a slow moment of the machine meets all.
Printed are medians of CPU time, and of the ratio to pydantic within a round. The pydantic models check
what types can state, `decode_event` checks every rule of the contract.
"""

import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from operator import truediv
from typing import Any

import msgspec

from bench import pydantic_events
from llamalog_schemas import EntityEvent, Event, decode_event, encode
from llamalog_tools.demo.day import generate_day

ALBUMS = 400
BATCH = 500
ROUNDS = 25
SEED = 1

YARDSTICK = "pydantic, strict models alone"

Decode = Callable[[bytes], Any]
bare: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)

CONTENDERS: dict[str, Decode] = {
    "msgspec, models alone": bare.decode,
    "msgspec, decode_event with all rules": decode_event,
    YARDSTICK: pydantic_events.adapter.validate_json,
}


def main() -> None:
    """Measure and print."""
    events = list(generate_day(ALBUMS, SEED))
    values = [encode(event) for event in events]
    for event, value in zip(events[:2_000], values, strict=False):
        _must_agree(event, value)

    taken: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, decode in CONTENDERS.items():
            taken[name].append(_microseconds_per_event(decode, values))

    size = statistics.mean(map(len, values))
    print(f"{len(values)} events of {size:.0f} bytes on average, batches of {BATCH}, {ROUNDS} rounds in turn")
    print(
        f"CPython {platform.python_version()}, msgspec {version('msgspec')}, pydantic {version('pydantic')}, "
        f"garbage collector {'on' if gc.isenabled() else 'off'}"
    )
    for name, rounds in taken.items():
        print(f"{name:36} {statistics.median(rounds):6.2f} us an event (least {min(rounds):.2f})")
        if name != YARDSTICK:
            ratio = statistics.median(map(truediv, taken[YARDSTICK], rounds))
            print(f"{'':36} {ratio:6.1f} times as fast as {YARDSTICK}")


def _microseconds_per_event(decode: Decode, values: list[bytes]) -> float:
    start = time.process_time()
    for first in range(0, len(values), BATCH):
        batch = [decode(value) for value in values[first : first + BATCH]]
        del batch
    return (time.process_time() - start) / len(values) * 1e6


def _must_agree(event: EntityEvent, value: bytes) -> None:
    """Two decoders that do not read the same are not to be compared."""
    theirs = pydantic_events.content(pydantic_events.adapter.validate_json(value))
    ours = (event.id, event.time, msgspec.json.decode(msgspec.json.encode(event.data)))
    if theirs != ours or decode_event(value) != event:
        sys.exit(f"the models disagree about {value.decode()}:\n{theirs}\n{ours}")


if __name__ == "__main__":
    main()
