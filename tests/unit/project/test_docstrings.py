"""A docstring begins with a noun phrase or an imperative."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PUBLISHED = {"ExpectedCounts"}
"""Their docstrings are descriptions in JSON Schemas, which only grow."""


def first_lines(tree: ast.Module) -> Iterator[tuple[str, ast.AST, str]]:
    """The name of each definition with a docstring, itself, and the first line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield getattr(node, "name", "module"), node, docstring.partition("\n")[0]


def clauses(source: str) -> list[str]:
    """Definitions whose docstring begins with a clause; of a function, `Whether` states a boolean."""
    found = []
    for name, node, line in first_lines(ast.parse(source)):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        words = "How|What|When|Where|Which|Who|Why" + ("" if is_function else "|Whether")
        if re.match(rf"(?:{words})\b", line) and name not in PUBLISHED:
            found.append(f"{name}: {line}")
    return found


def test_a_clause_is_recognised_in_modules_classes_and_functions() -> None:
    source = '"""Whether it is."""\nclass A:\n    """What it is."""\n    def f(self): "How it is."\n'
    assert clauses(source) == ["module: Whether it is.", "A: What it is.", "f: How it is."]
    assert clauses('"""A place."""\ndef is_a():\n    """Whether it is."""\n') == []


def test_no_docstring_of_the_sources_begins_with_a_clause() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    names = [name for name in listed.stdout.splitlines() if not name.startswith("tests/")]
    assert len(names) > 100
    found = {name: clauses((CHECKOUT / name).read_text()) for name in names if (CHECKOUT / name).exists()}
    assert {name: lines for name, lines in found.items() if lines} == {}
