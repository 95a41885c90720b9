"""Options that several commands share."""

from typing import Annotated

import typer

from llamalog_tools.demo.shares import InvalidShareError, parse_share


def _share(text: str | float) -> float:
    """Typer hands over what was typed, or the default."""
    try:
        return parse_share(str(text))
    except InvalidShareError as error:
        raise typer.BadParameter(str(error)) from error


def _share_option(help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(parser=_share, metavar="SHARE", help=help_text)
    return option


Albums = Annotated[int, typer.Option(min=1, help="How many albums are added on the sample day.")]
Late = Annotated[float, _share_option("Parents whose events come after a child's: 5% or 0.05.")]
Duplicates = Annotated[float, _share_option("Events that come twice.")]
Bad = Annotated[float, _share_option("Messages that are no valid event.")]
Seed = Annotated[int, typer.Option(help="Equal seeds give equal events, to the byte.")]
