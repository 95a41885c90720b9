"""The command `llamalog`; the module of a command is imported when the command is given.

To import all of them, with web and database frameworks, takes longer than most of them run.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

_COMMANDS: Final = {
    "migrate": "migrate:migrate",
    "adopt": "adopt:adopt",
    "topics": "topics:app",
    "consumer": "processes:consumer",
    "migration-consumer": "processes:migration_consumer",
    "api": "processes:api",
    "backfill": "backfill:app",
    "rebuild": "rebuild:rebuild",
    "publish-legacy": "publish_legacy:publish_legacy",
    "archive": "archive:archive",
    "provenance": "provenance:app",
    "timeline": "lineages:timeline",
    "tree": "lineages:tree",
    "chain": "lineages:chain",
    "explain": "explain:explain",
    "logs": "logs:logs",
    "stats": "stats:stats",
    "producers": "producers:producers",
    "conflicts": "conflicts:conflicts",
    "adopt-root": "overrides:adopt_root",
    "revoke": "overrides:revoke",
    "retract": "retract:retract",
    "overrides": "overrides:app",
    "dead-letters": "dead_letters:app",
    "export": "export:export",
    "erase": "erase:erase",
    "erase-files": "erase_files:erase_files",
}
"""The module and the name of each command, in the order of the help."""


class _Commands(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        module, _, attribute = _COMMANDS[name].partition(":")
        found = getattr(import_module(f"llamalog_service.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        return get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


class _LoadedOnDemand(TyperGroup):
    commands: Any

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Commands()

    def list_commands(self, ctx: object) -> list[str]:
        return list(_COMMANDS)


app = typer.Typer(
    name="llamalog", cls=_LoadedOnDemand, no_args_is_help=True, pretty_exceptions_show_locals=False
)


@app.callback()
def llamalog() -> None:
    """The provenance log of a music catalogue."""
