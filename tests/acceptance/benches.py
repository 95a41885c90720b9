"""A bench as its `make` target starts it, on so little that its speed is not the question."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_TESTS: Final = Path(__file__).parents[1]
_BAR_MISSED: Final = 1
_SECONDS: Final = 300


def figures_of(bench: str, *options: str, folder: Path, seconds: int = _SECONDS) -> dict[str, Any]:
    """The figures of a bench as JSON; it ran on disks that keep what is written, and left nothing behind."""
    file, data = folder / "figures.json", folder / "data"
    ran = subprocess.run(
        [sys.executable, "-m", bench, *options, "--json", str(file), "--data-dir", str(data)],
        env=os.environ | {"PYTHONPATH": str(_TESTS)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert ran.returncode in (0, _BAR_MISSED), ran.stdout + ran.stderr
    figures: dict[str, Any] = json.loads(file.read_text())
    assert bool(figures["missed"]) == (ran.returncode == _BAR_MISSED)
    assert figures["durability"] == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    assert not data.exists()
    return figures
