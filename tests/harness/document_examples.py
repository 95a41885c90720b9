"""The examples of a document: programs, each with what it prints."""

import re
from pathlib import Path
from typing import NamedTuple

_EXAMPLE = re.compile(
    r"^```python\n(.*?)^```\n\nprints[^\n]*\n\n```text\n(.*?)^```", re.DOTALL | re.MULTILINE
)
_PROGRAM = re.compile(r"^```python\n", re.MULTILINE)


class Example(NamedTuple):
    """A program of a document, and the text that it prints."""

    document: str
    number: int
    program: str
    prints: str

    def __str__(self) -> str:
        return f"{self.document}-{self.number}"


def examples_in(document: Path) -> list[Example]:
    """All programs of a document; each must be followed by what it prints."""
    text = document.read_text()
    found = [
        Example(document.stem, number, program, prints)
        for number, (program, prints) in enumerate(_EXAMPLE.findall(text), 1)
    ]
    assert len(found) == len(_PROGRAM.findall(text)), f"{document.name}: a program without what it prints"
    return found
