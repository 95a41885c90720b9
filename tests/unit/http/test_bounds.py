"""Bounds of what pages show: long texts are cut, deep JSON is not blown up by its indentation."""

import json
from typing import Any

import pytest

from llamalog_service.http.web.formatting import brief, pretty, some


def nested(levels: int, leaves: int) -> Any:
    value: Any = list(range(leaves))
    for _ in range(levels):
        value = [value]
    return value


def test_a_long_text_is_cut_and_says_so() -> None:
    assert brief("x" * 300) == "x" * 300
    assert brief("x" * 301) == "x" * 299 + "…"
    assert brief("\x07" * 1000, 10) == "␇" * 9 + "…"


def test_a_long_list_is_cut_and_says_so() -> None:
    assert list(some(["a"] * 12)) == ["a"] * 12
    assert list(some(["a"] * 500)) == ["a"] * 12 + ["…"]


def test_json_is_indented() -> None:
    assert pretty({"title": "Lemonade"}) == '{\n  "title": "Lemonade"\n}'
    assert pretty({"title": "Lemonade"}, 2048) == '{\n  "title": "Lemonade"\n}'


@pytest.mark.parametrize(
    "value", [nested(64, 60_000), ["x" * 5_000_000], nested(3, 1_000_000)], ids=["deep", "long", "wide"]
)
@pytest.mark.parametrize("most", [2048, 256 * 1024])
def test_json_of_any_shape_stays_within_its_bound(value: Any, most: int) -> None:
    shown = pretty(value, most)
    assert len(shown) == most
    assert shown.endswith("…")


def test_deep_json_that_would_be_too_long_indented_is_shown_compact() -> None:
    deep = nested(60, 30_000)
    assert json.loads(pretty(deep)) == deep
