"""Numbers that the JSON decoder reads slowly: the same results, in a bounded time."""

import json
import random
import time

import pytest

from histories import event
from llamalog_schemas.codec import decode_event, encode
from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.events import EntityEvent
from llamalog_schemas.limits import MAX_LEGACY_ROW_BYTES, MAX_VALUE_BYTES

EVENT = encode(event(1))


def with_numbers(numbers: list[str]) -> bytes:
    return EVENT.replace(b'{"number":1}', b'{"numbers":[' + ",".join(numbers).encode() + b"]}")


def numbers_in(value: bytes) -> list[float]:
    read = decode_event(value)
    assert isinstance(read, EntityEvent)
    assert read.data.metadata is not None
    numbers: list[float] = read.data.metadata["numbers"]
    return numbers


@pytest.mark.parametrize(
    "number",
    [
        "9e307",
        "1.7976931348623157E+308",
        "8.98846567431158e00307",
        "-1e290",
        "5e-324",
        "2.2250738585072011E-308",
        "-1e-00310",
    ],
)
def test_a_value_full_of_huge_or_tiny_numbers_is_read_within_a_moment(number: str) -> None:
    count = (MAX_VALUE_BYTES - len(EVENT)) // (len(number) + 1) - 2
    value = with_numbers([number] * count)
    began = time.process_time()
    numbers = numbers_in(value)
    assert time.process_time() - began < 0.3, (
        "a fifth of what the decoder alone needs for the fastest of them"
    )
    assert set(numbers) == {float(number)}


def test_a_number_is_the_same_however_many_stand_beside_it() -> None:
    dice = random.Random(7)
    texts = [
        f"{dice.choice(['', '-'])}{dice.randrange(10)}.{dice.randrange(10 ** dice.randrange(1, 30))}"
        f"{dice.choice('eE')}{dice.choice(['', '+', '-'])}{dice.randrange(308)}"
        for _ in range(400)
    ]
    together = numbers_in(with_numbers(texts))
    assert together == [numbers_in(with_numbers([text]))[0] for text in texts]
    assert together == [float(text) for text in texts]


@pytest.mark.parametrize("number", ["1e309", "-1e309", "9" * 400, "9" * 400 + ".5"])
def test_a_number_out_of_range_is_refused_alike_among_many(number: str) -> None:
    refusals = []
    for numbers in ([number], ["1e300"] * 500 + [number]):
        with pytest.raises(InvalidMessageError) as refusal:
            decode_event(with_numbers(numbers))
        refusals.append((refusal.value.reason, refusal.value.sentence.partition(" - at ")[0]))
    assert len(set(refusals)) == 1
    assert refusals[0][0] == InvalidReason.NUMBER_OUT_OF_RANGE


def test_integers_and_texts_stay_what_they_are_among_huge_numbers() -> None:
    value = with_numbers(["1e300"] * 500 + ["7", '"9e307"', "1.0", "-9223372036854775808"])
    assert json.dumps(numbers_in(value)[500:]) == '[7, "9e307", 1.0, -9223372036854775808]'


def test_a_value_too_large_for_its_type_is_refused_before_it_is_decoded() -> None:
    """It names the one type that may be so large, in a text."""
    lists = b'{"lists":[' + b",".join([b"[]"] * 300_000) + b'],"text":"llamalog.legacy-row.v1"}'
    value = EVENT.replace(b'{"number":1}', lists)
    assert MAX_VALUE_BYTES < len(value) < MAX_LEGACY_ROW_BYTES
    began = time.process_time()
    with pytest.raises(InvalidMessageError) as refusal:
        decode_event(value)
    assert time.process_time() - began < 0.2
    assert refusal.value.reason == InvalidReason.TOO_LARGE
