"""`python -m planted_faults`: plants each fault of the list in a copy of the checkout and runs its tests.

The exit code is 0 if every fault was caught, 1 if one was missed, 2 if the list is out of date or the
tests fail without a fault.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console

from planted_faults.faults import FAULTS
from planted_faults.planting import (
    CHECKOUT,
    FaultNotFoundError,
    Outcome,
    check_found,
    copied,
    plant,
    run_tests,
)

_COLOURS = {Outcome.CAUGHT: "green", Outcome.MISSED: "red", Outcome.BROKEN: "magenta"}


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m planted_faults")
    parser.add_argument("--only", default="", help="faults whose name holds this text")
    parser.add_argument("--list", action="store_true", help="print the faults and end")
    parser.add_argument(
        "--no-baseline", action="store_true", help="do not run the tests without a fault first"
    )
    chosen = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    faults = [fault for fault in FAULTS if chosen.only in fault.name]
    if chosen.list:
        for fault in faults:
            console.print(f"{fault.name}  [dim]{fault.file}[/dim]")
        return 0
    try:
        for fault in FAULTS:
            check_found(fault)
    except FaultNotFoundError as error:
        console.print(str(error), style="bold red", markup=False)
        return 2
    with tempfile.TemporaryDirectory(prefix="planted-") as folder, copied(CHECKOUT, Path(folder)) as copy:
        if not chosen.no_baseline:
            tests = sorted({test for fault in faults for test in fault.tests})
            verdict = run_tests(tests, copy)
            if verdict.outcome is not Outcome.MISSED:
                console.print(verdict.printed, markup=False)
                console.print("The tests do not pass without a fault: nothing was planted.", style="bold red")
                return 2
            console.print(f"Without a fault the tests of {len(tests)} files or names pass.")
        outcomes: Counter[Outcome] = Counter()
        for number, fault in enumerate(faults, start=1):
            began = time.monotonic()
            verdict = plant(fault, copy)
            outcomes[verdict.outcome] += 1
            word = f"[{_COLOURS[verdict.outcome]}]{verdict.outcome:6}[/]"
            console.print(f"{number:3}/{len(faults)} {word} {fault.name}  {time.monotonic() - began:.0f} s")
            if verdict.failed:
                console.print(f"{'':15}by {verdict.failed}", style="dim", markup=False)
            if verdict.outcome is Outcome.BROKEN:
                console.print(verdict.printed, markup=False)
    console.print(", ".join(f"{outcomes[outcome]} {outcome}" for outcome in Outcome))
    return 0 if outcomes[Outcome.CAUGHT] == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())
