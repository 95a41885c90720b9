"""`llamalog backfill`: request backfills, follow, pause, resume and cancel them."""

import typer

from llamalog_service.cli.backfill import commands, following

app = typer.Typer(
    name="backfill",
    help="Work out roots anew: of everything or a part, previewed, watched, paused, cancelled.",
    no_args_is_help=True,
)

app.command("start")(commands.start)
app.command("list")(commands.list_)
app.command("show")(commands.show)
app.command("pause")(commands.pause)
app.command("resume")(commands.resume)
app.command("cancel")(commands.cancel)
app.command("watch")(following.watch)
