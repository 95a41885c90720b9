"""Ids of events: UUIDv7, which databases keep in the order in which they were made."""

from os import urandom
from time import time_ns

_NANOSECONDS_PER_MILLISECOND = 1_000_000


def new_event_id() -> str:
    """A UUIDv7 as text: milliseconds since 1970, their fraction in 12 bits, 62 random bits (RFC 9562)."""
    milliseconds, rest = divmod(time_ns(), _NANOSECONDS_PER_MILLISECOND)
    fraction = (rest << 12) // _NANOSECONDS_PER_MILLISECOND
    random = int.from_bytes(urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x8 << 60 | random:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
