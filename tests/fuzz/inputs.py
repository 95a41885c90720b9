"""Input number n of a seed, the same one every time: a golden payload mutated, or one drawn by hypothesis."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.golden_payloads import Golden, load_all
from contract.mutations import NASTY, headers_, mutated, reshaped
from llamalog_schemas import Headers, decode_event, encode_event_binary

DRAWN_EVERY = 10
"""Of so many inputs one is drawn by hypothesis."""

_BUFFER = 4096
_GOLDEN = load_all()
_PLACES = ("type", "id", "source", "time", "specversion", "subject", "data", "tracestate", "datacontenttype")
_NASTY_JSON = [
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"-0",
    b"1.0",
    b"9" * 400,
    b"9223372036854775808",
    b"-9223372036854775809",
    b"2147483648",
    b"[" * 401 + b"]" * 401,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b"[" * 5_000,
    b"null",
    b"[]",
    b"{}",
    b'""',
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"' + b"x" * 3_000 + b'"',
    b'"2026-02-10T10:30:00"',
    b'"9999-12-31T23:59:59Z"',
    b'"1969-12-31T23:59:59.999999999Z"',
    b'"2016-12-31T23:59:60Z"',
    b'"0001-01-01T00:00:00+23:59"',
    b'"enrich-42"',
    b'"llamalog.entity-created.v2"',
    b'"llamalog.recompute-roots.v1"',
    b"true",
]


class Input(NamedTuple):
    """A message as it may come; `how` names what was done to it."""

    how: str
    value: bytes | None
    headers: Headers


def input_of(seed: int, number: int) -> Input:
    """Input number `number` of a seed."""
    random = Random(f"{seed}:{number}")
    if number % DRAWN_EVERY == 0 and (drawn := _drawn(random)) is not None:
        return drawn
    return random.choice(_WAYS)(random, random.choice(_GOLDEN))


_found: list[Input] = []


@settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(mutated(), st.tuples(reshaped() | st.binary(max_size=300), headers_)))
def _keep(message: tuple[bytes, Headers]) -> None:
    _found.append(Input("drawn", *message))


_draw: Callable[[bytes], object] = _keep.hypothesis.fuzz_one_input  # type: ignore[attr-defined]


def _drawn(random: Random) -> Input | None:
    """What hypothesis makes of random bytes; None where they do not suffice."""
    _found.clear()
    _draw(random.randbytes(_BUFFER))
    return _found[-1] if _found else None


def _bytes_changed(random: Random, golden: Golden) -> Input:
    """Cuts, swaps, flips and insertions, wherever they fall."""
    value = bytearray(golden.value)
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(value))
        end = min(len(value), start + random.choice((0, 1, 1, 8, 200)))
        match random.randrange(5):
            case 0:
                value[start:end] = b""
            case 1:
                value[start:end] = random.choice(NASTY)
            case 2 if start < len(value):
                value[start] ^= 1 << random.randrange(8)
            case 3:
                value[start:start] = value[start:end]
            case _:
                value[start:end] = random.randbytes(random.randint(0, 4))
    return Input("bytes changed", bytes(value), golden.headers)


def _cut_off(random: Random, golden: Golden) -> Input:
    return Input("cut off", golden.value[: random.randint(0, len(golden.value))], golden.headers)


def _two_spliced(random: Random, golden: Golden) -> Input:
    other = random.choice(_GOLDEN)
    head = golden.value[: random.randint(0, len(golden.value))]
    return Input("two spliced", head + other.value[random.randint(0, len(other.value)) :], other.headers)


def _place_replaced(random: Random, golden: Golden) -> Input:
    """Other JSON, or what is none, in a place of the message: of the envelope, the data, or deeper."""
    message: dict[str, Any] = golden.structured
    place: Any = message
    steps = random.randint(0, 3)
    while steps and (inner := [item for item in _items(place) if isinstance(item, dict | list) and item]):
        place, steps = random.choice(inner), steps - 1
    if isinstance(place, dict):
        place[random.choice([*place, random.choice(_PLACES), "unknown", "a\0b"])] = "@here@"
    else:
        place[random.randrange(len(place))] = "@here@"
    raw = random.choice(_NASTY_JSON) if random.random() < 0.9 else random.choice(NASTY)
    value = json.dumps(message, ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass")
    return Input("place replaced", value.replace(b'"@here@"', raw, 1), [])


def _place_removed(random: Random, golden: Golden) -> Input:
    message = golden.structured
    place = message["data"] if random.random() < 0.5 and isinstance(message.get("data"), dict) else message
    if place:
        del place[random.choice(list(place))]
    return Input("place removed", json.dumps(message).encode(), [])


def _values_swapped(random: Random, golden: Golden) -> Input:
    """What one place holds, put into another: a job that is its own parent, a root for an entity."""
    message = golden.structured
    data = message["data"] if isinstance(message.get("data"), dict) else {}
    jobs = [name for name in ("jobId", "parentJobId", "rootJobId") if name in data]
    for _ in range(random.randint(1, 2)):
        source = random.choice(jobs or list(data) or ["nothing"])
        data[random.choice([*(jobs or data), "parentJobId", "rootJobId"])] = data.get(source)
    return Input("values swapped", json.dumps(message).encode(), [])


def _headers_changed(random: Random, golden: Golden) -> Input:
    """In binary mode, whose attributes are headers; some lost, doubled, null, or bytes of any kind."""
    value, headers = golden.value, list(golden.headers)
    if not headers and golden.event.startswith(("entity", "root")):
        value, named = encode_event_binary(decode_event(value))
        headers = list(named)
    for _ in range(random.randint(1, 3)):
        name = random.choice(
            ["content-type", "ce_id", "ce_type", "ce_time", "ce_source", "ce_specversion", "x"]
        )
        content = random.choice([None, b"", b"\xff", random.randbytes(5), random.choice(NASTY)[:300]])
        match random.randrange(3):
            case 0 if headers:
                del headers[random.randrange(len(headers))]
            case 1 if headers:
                at = random.randrange(len(headers))
                headers[at] = (headers[at][0], content)
            case _:
                headers.insert(random.randint(0, len(headers)), (name, content))
    return Input("headers changed", value, headers)


def _padded(random: Random, golden: Golden) -> Input:
    """About as large as may be."""
    size = 256 * 1024 + random.randint(-2, 2)
    return Input(
        "padded", golden.value.ljust(size, random.choice((b" ", b" ", b" ", b"9", b"["))), golden.headers
    )


def _untouched(random: Random, golden: Golden) -> Input:
    return Input("untouched", None if random.random() < 0.2 else golden.value, golden.headers)


def _items(place: Any) -> list[Any]:
    return list(place.values()) if isinstance(place, dict) else list(place)


_WAYS: list[Callable[[Random, Golden], Input]] = [
    *[_bytes_changed] * 8,
    *[_place_replaced] * 8,
    *[_headers_changed] * 4,
    *[_place_removed] * 2,
    *[_values_swapped] * 2,
    *[_two_spliced] * 2,
    *[_cut_off] * 2,
    _padded,
    _untouched,
]
