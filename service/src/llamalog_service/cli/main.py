"""The command `llamalog`: its commands, one module each."""

import typer

from llamalog_service.cli import (
    adopt,
    api,
    backfill,
    conflicts,
    consumers,
    dead_letters,
    decrees,
    genesis,
    jobs,
    logs,
    migrate,
    provenance,
    rebuild,
    simulate,
    stats,
    timeline,
    topics,
    up,
)

app = typer.Typer(
    name="llamalog",
    help="The provenance log of a music catalogue.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

app.command("up")(up.up)
app.command("migrate")(migrate.migrate)
app.command("adopt")(adopt.adopt)
app.add_typer(topics.app)
app.command("consumer")(consumers.consumer)
app.command("migrator")(consumers.migrator)
app.command("api")(api.api)
app.add_typer(backfill.app)
app.command("simulate")(simulate.simulate)
app.command("timeline")(timeline.timeline)
app.command("genesis")(genesis.genesis)
app.add_typer(provenance.app)
app.command("rebuild")(rebuild.rebuild)
app.command("tree")(jobs.tree)
app.command("chain")(jobs.chain)
app.command("logs")(logs.logs)
app.command("stats")(stats.stats)
app.command("conflicts")(conflicts.conflicts)
app.command("adopt-root")(decrees.adopt_root)
app.command("revoke")(decrees.revoke)
app.add_typer(dead_letters.app)
