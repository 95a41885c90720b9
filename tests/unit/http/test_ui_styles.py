"""The looks of the admin UI: legible in both themes, nothing inline, nothing from elsewhere."""

import re
from itertools import product
from pathlib import Path

import pytest

from llamalog_service.http import web as ui

FOLDER = Path(ui.__file__).parent
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
ENOUGH = 4.5

COLOUR = re.compile(r"--([\w-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);")
TOKENS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in COLOUR.findall((FOLDER / "static" / "tokens.css").read_text())
}
TONES = ("created", "linked", "enriched", "corrected", "cached", "failed", "other")
GROUNDS = ("page", "surface", "raised")
PAIRS = [
    *product(("text", "muted", "link", "accent", *TONES), GROUNDS),
    *((tone, f"{tone}-soft") for tone in TONES),
    *product(("text", "muted"), [f"{tone}-soft" for tone in TONES]),
    ("on-accent", "accent"),
]


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_pair_of_colours_that_meets_can_be_read(theme: str) -> None:
    too_weak = {
        f"{front} on {ground}": round(found, 2)
        for front, ground in PAIRS
        if (found := contrast(TOKENS[front][theme], TOKENS[ground][theme])) < ENOUGH
    }
    assert not too_weak


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_edges_of_fields_and_the_focus_can_be_seen(theme: str) -> None:
    for edge, ground in product(("line-strong", "focus"), GROUNDS):
        assert contrast(TOKENS[edge][theme], TOKENS[ground][theme]) >= 3, (edge, ground)


def test_colours_are_defined_in_one_place() -> None:
    for sheet in (FOLDER / "static").glob("*.css"):
        if sheet.name != "tokens.css":
            assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", sheet.read_text()), sheet.name


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_inline_and_trusts_nothing(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"\sstyle\s*=|<style|\son\w+\s*=|javascript:", text, re.IGNORECASE)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), "a script without a source is an inline one"
    assert not re.search(r"\|\s*safe\b|Markup|autoescape", text)


@pytest.mark.parametrize(
    "file", [*TEMPLATES, *sorted((FOLDER / "static").iterdir())], ids=lambda path: path.name
)
def test_nothing_is_loaded_from_elsewhere(file: Path) -> None:
    text = file.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|(src|href)=\"//|url\(|@import", text)


@pytest.mark.parametrize("script", sorted((FOLDER / "static").glob("*.js")), ids=lambda path: path.name)
def test_no_script_makes_html_from_text(script: Path) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script.read_text()
    )
