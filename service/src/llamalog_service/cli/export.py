"""`llamalog export`: everything that is stored about a person."""

from collections import Counter
from typing import Annotated

import typer

from llamalog_service.bootstrap import open_log
from llamalog_service.cli.runtime import error_console, interruptible, print_json, read_settings, run
from llamalog_service.kafka.dead_letters import DeadLetterReader
from llamalog_service.personal_data.access import DEAD_LETTER, REMOVED_ROW, ROW, stored_about
from llamalog_service.settings import Settings

_REPORT_EVERY = 1_000


def export(
    *,
    user: Annotated[str, typer.Option(metavar="ID", help="The `userId` of the person, exactly.")],
) -> None:
    """Print everything that is stored about a person, a JSON object a line: to answer a request for access.

    Rows of the log, rows that a repair removed, and dead letters, counted in the end. The event topic and the
    topic of provenance hold copies of the rows.
    """
    with interruptible("The export is not complete."):
        counts = run(_export(read_settings(), user))
    error_console.print(
        f"{counts[ROW]:,} rows, {counts[REMOVED_ROW]:,} removed rows, {counts[DEAD_LETTER]:,} dead letters.",
        markup=False,
        soft_wrap=True,
    )


async def _export(settings: Settings, user: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    with error_console.status("Looking …") as status:
        async with open_log(settings) as reader:
            async for item in stored_about(user, reader, DeadLetterReader(settings)):
                print_json(item, one_line=True)
                counts[item.place] += 1
                if counts.total() % _REPORT_EVERY == 0:
                    status.update(f"Looking … {counts.total():,} found so far")
    return counts
