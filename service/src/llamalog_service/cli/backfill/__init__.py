"""`llamalog backfill`: ask for backfills, see how far they are, pause, resume and cancel them."""

import typer

from llamalog_service.cli.backfill import commands as asking
from llamalog_service.cli.backfill import showing, watching

app = typer.Typer(
    name="backfill",
    help="Work out roots anew: of everything or a part, previewed, watched, paused, cancelled.",
    no_args_is_help=True,
)

app.command("start")(asking.start)
app.command("list")(showing.list_)
app.command("show")(showing.show)
app.command("pause")(asking.pause)
app.command("resume")(asking.resume)
app.command("cancel")(asking.cancel)
app.command("watch")(watching.watch)
