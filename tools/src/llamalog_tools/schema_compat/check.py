"""Comparison of the schemas with the last release, and with the copies of published ones."""

import json
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

from llamalog_tools.contract_export.json_schemas import GROWING, message_type
from llamalog_tools.schema_compat.rules import Schema, breaks

CHECKOUT: Final = Path(__file__).resolve().parents[4]
FOLDER: Final = "schemas/json"
COPIES: Final = "tests/contract/published"
MAY_GROW: Final = frozenset(message_type(model).file for model in GROWING)


class Baseline(NamedTuple):
    """Schemas as they were published, by file name."""

    name: str
    schemas: dict[str, Schema]


def compare_with_published(
    checkout: Path = CHECKOUT, may_grow: Collection[str] = MAY_GROW
) -> tuple[list[str], list[str]]:
    """The names of the baselines, and a line for each break."""
    now = schemas_in(checkout / FOLDER)
    compared = baselines(checkout)
    lines = [line for baseline in compared for line in _compare(baseline, now, may_grow)]
    return [baseline.name for baseline in compared], lines


def baselines(checkout: Path = CHECKOUT) -> list[Baseline]:
    """The copies, and the last tag if git knows one (a shallow clone does not)."""
    copies = Baseline(f"the copies in {COPIES}/", schemas_in(checkout / COPIES))
    tag = _last_tag(checkout)
    return [copies] if tag is None else [copies, Baseline(f"the tag {tag}", _schemas_at(checkout, tag))]


def schemas_in(folder: Path) -> dict[str, Schema]:
    """The schemas of a folder."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def _compare(baseline: Baseline, now: dict[str, Schema], may_grow: Collection[str]) -> list[str]:
    lines = []
    for file, then in baseline.schemas.items():
        if file not in now:
            lines.append(f"{file} is gone, and is in {baseline.name}: its messages stay in the topics")
            continue
        found = breaks(then, now[file], may_grow=file in may_grow)
        lines += [f"{file}, against {baseline.name}: {each}" for each in found]
    return lines


def _last_tag(checkout: Path) -> str | None:
    """The nearest tag in the history."""
    output = _git(checkout, "describe", "--tags", "--abbrev=0")
    return None if output is None else output.strip()


def _schemas_at(checkout: Path, tag: str) -> dict[str, Schema]:
    listed = _git(checkout, "ls-tree", "--name-only", tag, f"{FOLDER}/") or ""
    paths = [path for path in listed.splitlines() if path.endswith(".json")]
    return {Path(path).name: json.loads(_git(checkout, "show", f"{tag}:{path}") or "") for path in paths}


def _git(checkout: Path, *arguments: str) -> str | None:
    """The output of git; None: it failed, or there is no git or no clone."""
    try:
        ran = subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return ran.stdout if ran.returncode == 0 else None
