"""`--expect roots=1537,children=30,untracked=2485`: what the counts of a plan have to be."""

from difflib import get_close_matches

from llamalog_schemas.commands import ExpectedCounts
from llamalog_schemas.limits import MAX_COUNT

_CLASSES = ExpectedCounts.__struct_fields__


class InvalidExpectationError(ValueError):
    """What was typed is no expectation; the message says which part, and how one looks."""

    def __init__(self, wrong: str) -> None:
        super().__init__(f"{wrong} An expectation looks like roots=1537,children=30,untracked=2485.")


def parse_expectation(text: str) -> ExpectedCounts:
    """Counts by class; a class that is not named may have any count.

    Args:
        text: ``class=count``, comma-separated; a count may be written with underscores: ``1_567``.

    Raises:
        InvalidExpectationError: which part is wrong, and why.
    """
    expected: dict[str, int] = {}
    for part in text.split(","):
        name, equals, count = (word.strip() for word in part.partition("="))
        if not equals:
            raise InvalidExpectationError(f"`{part.strip()}` has no `=`.")
        if name not in _CLASSES:
            raise InvalidExpectationError(_unknown(name))
        if name in expected:
            raise InvalidExpectationError(f"`{name}` is given twice.")
        expected[name] = _count(name, count)
    return ExpectedCounts(**expected)


def _unknown(name: str) -> str:
    close = get_close_matches(name, _CLASSES, n=1)
    meant = f" Did you mean `{close[0]}`?" if close else f" There are {', '.join(sorted(_CLASSES))}."
    return f"There is no class `{name}`.{meant}"


def _count(name: str, text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        raise InvalidExpectationError(
            f"The count of `{name}` is {text!r}, which is no whole number."
        ) from None
    if not 0 <= count <= MAX_COUNT:
        raise InvalidExpectationError(f"The count of `{name}` is {count}: it lies between 0 and {MAX_COUNT}.")
    return count
