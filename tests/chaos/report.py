"""The table of faults in docs/reliability.md."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.fault import Fault
from chaos.run import Survived

BEGIN = "<!-- written by `make chaos` -->"
END = "<!-- end -->"
_COLUMNS = ("fault", "seen", "silent", "recovered in")


def show(survived: Iterable[Survived], console: Console) -> None:
    """Print the table."""
    table = Table(*_COLUMNS, "result")
    for one in survived:
        result = "[red]WRONG" if one.wrong else "[green]as the fold says"
        table.add_row(one.fault.what, seen(one), f"{one.silence:.1f} s", f"{one.recovery:.1f} s", result)
    console.print(table)


def seen(one: Survived) -> str:
    """What happened on the way, in a few words."""
    verdict = one.verdict
    words = [f"{verdict.messages:,} messages: {verdict.rows:,} rows, {verdict.dead_letters} dead letters"]
    again = verdict.records_published - verdict.rows
    words.append(f"{verdict.rows_corrected} rows corrected, {max(again, 0)} records published again")
    if one.put_back:
        words.append(f"batches requeued {one.put_back} times")
    if one.waits:
        words.append(f"{one.waits} waits")
    if one.restarts:
        words.append(f"{one.restarts} restarts")
    return "; ".join(words)


def write(one: Survived, document: Path, stack: str, faults: Sequence[Fault]) -> None:
    """Write a fault's row into the table of a document; take it out if the outcome is wrong.

    Args:
        document: which must have the marks of the table.
        faults: every fault that there is, in the order of the table; the rows of others stay as they were.
    """
    before, rest = document.read_text().split(BEGIN)
    former, after = rest.split(END)
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in former.splitlines()}
    cells = (one.fault.what, seen(one), f"{one.silence:.1f} s", f"{one.recovery:.1f} s")
    rows[one.fault.what] = f"| {' | '.join(cells)} |"
    if one.wrong:
        del rows[one.fault.what]
    lines = [
        f"{stack}; {date.today():%Y-%m-%d}.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---|---|---|---|",
        *(rows[fault.what] for fault in faults if fault.what in rows),
    ]
    table = "\n".join(lines)
    document.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
