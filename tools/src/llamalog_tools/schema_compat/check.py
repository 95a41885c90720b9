"""Hold every schema against what was published."""

from collections.abc import Collection
from pathlib import Path

from llamalog_tools.contract_export.json_schemas import GROWING, message_type
from llamalog_tools.schema_compat.baseline import CHECKOUT, FOLDER, Baseline, baselines, schemas_in
from llamalog_tools.schema_compat.rules import breaks

MAY_GROW = frozenset(message_type(model).file for model in GROWING)


def complaints(
    checkout: Path = CHECKOUT, may_grow: Collection[str] = MAY_GROW
) -> tuple[list[str], list[str]]:
    """The names of what was compared with, and a line for each break."""
    now = schemas_in(checkout / FOLDER)
    compared = baselines(checkout)
    lines = [line for baseline in compared for line in _against(baseline, now, may_grow)]
    return [baseline.name for baseline in compared], lines


def _against(baseline: Baseline, now: dict[str, dict[str, object]], may_grow: Collection[str]) -> list[str]:
    lines = []
    for file, then in baseline.schemas.items():
        if file not in now:
            lines.append(f"{file} is gone, and is in {baseline.name}: its messages stay in the topics")
            continue
        found = breaks(then, now[file], may_grow=file in may_grow)
        lines += [f"{file}, against {baseline.name}: {each}" for each in found]
    return lines
