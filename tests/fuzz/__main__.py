"""`python -m fuzz`: the decode step under inputs of every kind, and a table of what they were."""

import argparse
import os
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fuzz.inputs import input_of
from fuzz.judging import judge
from fuzz.watching import Outcome, fuzz

_SHOWN = 2_000


def main() -> int:
    """The exit code: 1 if an input was not judged as it has to be."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input of the seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    console = Console(highlight=False)
    began = time.monotonic()
    columns = (TextColumn("inputs judged"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=chosen.inputs)
        outcome = fuzz(
            judge,
            seed=chosen.seed,
            first=chosen.first,
            inputs=chosen.inputs,
            workers=max(1, min(chosen.workers, chosen.inputs)),
            progress=lambda judged: bar.update(task, completed=judged),
        )
        bar.update(task, completed=outcome.kinds.total())
    console.print(_table(outcome))
    seconds = time.monotonic() - began
    console.print(f"{outcome.kinds.total():,} inputs of seed {chosen.seed} in {seconds:.1f} s.")
    for failure in outcome.failures:
        console.print(f"\nInput {failure.number}: {failure.why}", markup=False)
        console.print(repr(input_of(chosen.seed, failure.number))[:_SHOWN], markup=False)
        again = f"--seed {chosen.seed} --first {failure.number}"
        console.print(f"Again: make fuzz INPUTS=1 FUZZ='{again}'", markup=False, style="bold")
    return 1 if outcome.failures else 0


def _table(outcome: Outcome) -> Table:
    table = Table("what the input was", "inputs")
    table.columns[1].justify = "right"
    for kind, number in outcome.kinds.most_common():
        table.add_row(kind, f"{number:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
