"""Shares as people write them."""

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
