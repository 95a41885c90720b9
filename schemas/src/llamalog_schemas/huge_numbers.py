"""Decoders for JSON with many numbers like 9e307, which msgspec reads slowly."""

from functools import cache
from math import isinf
from typing import Any, Final

import msgspec

SHORT_BYTES: Final = 2048
"""A message up to this length holds a few hundred of them at most, which take milliseconds."""

_FEW_EXPONENTS: Final = 50
_EXPONENTS: Final = tuple(
    b"%b%d" % (sign, digit) for sign in (b"e", b"E", b"e+", b"E+") for digit in range(4)
)
"""How a number begins its exponent from 100 on; texts hold these bytes, too."""


def may_hold_many(value: bytes) -> bool:
    """Whether it is worth while to read floats otherwise: msgspec takes 40 µs for 9e307, else 0.1 µs.

    A value of 256 KiB can hold 43,000 of them, which would take more than a second.
    """
    return sum(map(value.count, _EXPONENTS)) > _FEW_EXPONENTS


@cache
def decoder_of(model: Any) -> msgspec.json.Decoder[Any]:
    """A decoder with msgspec's results and errors that reads untyped floats by Python's own function."""
    return msgspec.json.Decoder(model, float_hook=_finite_float)


def _finite_float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("Number out of range")  # as msgspec itself says it
    return number
