"""The options of `up` and `simulate`."""

from typing import Annotated

import typer

from llamalog_service.domain.errors import LlamalogError


class InvalidShareError(LlamalogError):
    """A share is neither a percentage nor a number between 0 and 1."""


def parse_share(text: str) -> float:
    """The share that "5%", "0.1 %" or "0.05" names, between 0 and 1.

    Raises:
        InvalidShareError: with what was given and how to write it.
    """
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        share = float(number) / 100 if percent else float(number)
    except ValueError:
        raise InvalidShareError(
            f'"{text}" is no share: write a percentage such as 5% or a number such as 0.05.'
        ) from None
    if not 0 <= share <= 1:
        raise InvalidShareError(
            f'"{text}" is no share of a whole: it must lie between 0% and 100%, e.g. 5% or 0.05.'
        )
    return share


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
