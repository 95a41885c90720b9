"""How a bench ends: its figures kept, what is wrong and what was missed printed, and an exit code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import typer
from rich.console import Console

BAR_MISSED: Final = 1
FAILED: Final = 2
WRONG: Final = 3


def give_up(progress: Console, bench: str, error: Exception) -> NoReturn:
    """The bench could not run."""
    progress.print(f"{bench}: {error}", style="red", soft_wrap=True, markup=False)
    raise typer.Exit(FAILED) from None


def keep(text: str, file: Path | None) -> None:
    """Write the figures, or a plot of them, where requested."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def conclude(console: Console, *, wrong: Sequence[str] = (), missed: Sequence[str], met: str) -> None:
    """Print every line of both, or `met` where there is none.

    Raises:
        typer.Exit: with WRONG or BAR_MISSED.
    """
    for what, lines in (("WRONG", wrong), ("MISSED", missed)):
        for line in lines:
            console.print(f"{what}: {line}", style="red", soft_wrap=True, markup=False)
    if wrong:
        raise typer.Exit(WRONG)
    if missed:
        raise typer.Exit(BAR_MISSED)
    console.print(met)
