"""Times as people type them."""

import re
from datetime import UTC, datetime, timedelta

_AGE = re.compile(r"(\d{1,6})\s*(s|min|m|h|d|w)", re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_timestamp(text: str, *, ages: bool = False, now: datetime | None = None) -> datetime:
    """An aware time from ISO 8601, ``2026-02-10`` or ``2026-02-10T10:30:00+01:00``; UTC without a zone.

    Args:
        ages: whether ``30s``, ``15m``, ``2h``, ``3d``, ``1w`` are times too: so long before `now`.
        now: the present if left out.

    Raises:
        ValueError: the text is neither, or the time in UTC is out of `datetime`'s range.
    """
    text = text.strip()
    age = _AGE.fullmatch(text) if ages else None
    try:
        if age is not None:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[age[2].lower()]: int(age[1])})
        parsed = datetime.fromisoformat(text)
        aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
        aware.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error
    return aware


def is_age(text: str) -> bool:
    """Whether a text is a time span before now, as `parse_timestamp` reads it with `ages`."""
    return _AGE.fullmatch(text.strip()) is not None


def naive_utc(time: datetime) -> datetime:
    """A time as the table compares it: UTC without a zone; one without a zone is taken for UTC."""
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
