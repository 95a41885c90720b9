"""What the schemas are held against: the last release, and the copies kept of what was published."""

import json
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from llamalog_tools.schema_compat.rules import Schema

CHECKOUT: Final = Path(__file__).resolve().parents[4]
FOLDER: Final = "schemas/json"
COPIES: Final = "tests/contract/published"


class Baseline(NamedTuple):
    """Schemas as they were, by file name."""

    name: str
    schemas: dict[str, Schema]


def baselines(checkout: Path = CHECKOUT) -> list[Baseline]:
    """All that there is: always the copies; the last tag where git knows one (a shallow clone does not)."""
    copies = Baseline(f"the copies in {COPIES}/", schemas_in(checkout / COPIES))
    tag = _last_tag(checkout)
    return [copies] if tag is None else [copies, Baseline(f"the tag {tag}", _schemas_at(checkout, tag))]


def schemas_in(folder: Path) -> dict[str, Schema]:
    """The schemas of a folder."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def _last_tag(checkout: Path) -> str | None:
    """The nearest tag that leads here."""
    said = _git(checkout, "describe", "--tags", "--abbrev=0")
    return None if said is None else said.strip()


def _schemas_at(checkout: Path, tag: str) -> dict[str, Schema]:
    listed = _git(checkout, "ls-tree", "--name-only", tag, f"{FOLDER}/") or ""
    paths = [path for path in listed.splitlines() if path.endswith(".json")]
    return {Path(path).name: json.loads(_git(checkout, "show", f"{tag}:{path}") or "") for path in paths}


def _git(checkout: Path, *arguments: str) -> str | None:
    """What git says; None: it is not there, this is no clone, or it knows no such thing."""
    try:
        ran = subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return ran.stdout if ran.returncode == 0 else None
