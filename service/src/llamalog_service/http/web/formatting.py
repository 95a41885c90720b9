"""Formatting of values for pages: pure functions, none of which returns HTML, since templates escape."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import UUID

import msgspec

from llamalog_schemas.events import Category, EntityType, Status
from llamalog_schemas.limits import nested_deeper_than
from llamalog_schemas.provenance import Origin
from llamalog_service.queries.rows import cut

_CATEGORIES: Final = frozenset(Category)
_TONES: Final[dict[str, str]] = {
    Status.SUCCESS: "created",
    Status.COMPLETED: "created",
    Status.PARTIAL_SUCCESS: "cached",
    Status.NO_DATA_AVAILABLE: "cached",
    Status.FAILED: "failed",
    Status.PENDING: "enriched busy",
    Status.QUEUED: "enriched busy",
    Status.IN_PROGRESS: "enriched busy",
}
_UNKNOWN_ORIGINS: Final[dict[str | None, str]] = {
    Origin.UNTRACKED: "names neither job nor parent",
    Origin.PENDING: "waits for a job never seen",
    Origin.CYCLE: "its jobs form a cycle",
    None: "not looked at yet",
}
_KNOWN_ORIGINS: Final[dict[str, str]] = {
    Origin.ROOT: "the root itself",
    Origin.RESOLVED: "found by following its parents",
    Origin.ADOPTED: "an operator's override: the top was never logged",
    Origin.DECLARED: "as declared: the top was not seen yet",
}
_MAX_SHOWN: Final = 300
"""Characters of a value in a list, which may be of any length."""
_MAX_MEMBERS: Final = 12
_MAX_JSON: Final = 256 * 1024
_MAX_INDENTED_DEPTH: Final = 8
_MAX_INDENTED_BYTES: Final = 16 * 1024
"""Of what is nested deeper: indented it could be a hundred times as long."""
_CONTROLS_OF_DIRECTION: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS: Final = (("s", 60), ("min", 60), ("h", 24), ("d", 365))


def visible(text: object) -> str:
    """A text without characters that would act on its display.

    Control characters become their pictures; what overrides the direction of writing is spelled out.
    """
    shown = str(text)
    return shown if shown.isprintable() else "".join(map(_visible, shown))


def brief(text: object, most: int = _MAX_SHOWN) -> str:
    """The beginning of a text, visible; an ellipsis stands for the rest of a longer one."""
    return visible(cut(str(text), most))


def some(words: Sequence[str | None]) -> Sequence[str | None]:
    """The first words of a list; an ellipsis stands for the others."""
    return words if len(words) <= _MAX_MEMBERS else (*words[:_MAX_MEMBERS], "…")


def _visible(character: str) -> str:
    code = ord(character)
    if character in "\n\t" or character.isprintable():
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if 0x7F <= code < 0xA0 or character in _CONTROLS_OF_DIRECTION:
        return f"[U+{code:04X}]"
    return character


def category_tone(category: str) -> str:
    """The CSS class of a category; an unknown one of a legacy row gets the neutral class."""
    return category.lower() if category in _CATEGORIES else "other"


def status_tone(status: str) -> str:
    """The CSS classes of a status."""
    return _TONES.get(status, "other")


def humanize(label: str) -> str:
    """A label of the contract in plain words: ``NO_DATA_AVAILABLE`` becomes ``no data available``."""
    return brief(label).replace("_", " ").lower()


def entity_label(entity_type: str | None) -> str:
    """An entity's type in plain words."""
    return "entity" if entity_type is None else humanize(entity_type)


def why_unknown(origin: str | None) -> str:
    """The reason for which a row's root is not known."""
    return _UNKNOWN_ORIGINS.get(origin, humanize(origin or ""))


def how_known(origin: str | None) -> str:
    """The source from which a row's root is known; empty if it is not."""
    return _KNOWN_ORIGINS.get(origin or "", "")


def exact(at: datetime) -> str:
    """A time in ISO 8601: UTC, milliseconds."""
    return f"{_utc(at).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def moment(at: datetime) -> str:
    """A time in plain words; UTC."""
    at = _utc(at)
    day = f"{at.day} {_MONTHS[at.month - 1]} {at.year:04d}"
    return f"{day}, {at.hour:02d}:{at.minute:02d}:{at.second:02d}"


def age(at: datetime, now: datetime | None = None) -> str:
    """The time since, or until, a time."""
    seconds = ((now or datetime.now(UTC)) - _utc(at)).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{span(abs(seconds) * 1000)} ago" if seconds > 0 else f"in {span(-seconds * 1000)}"


def span(milliseconds: float) -> str:
    """A length of time in its largest fitting unit."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    value = milliseconds / 1000
    for unit, most in _UNITS:
        if value < most:
            return f"{value:.1f} {unit}" if value < 9.95 and unit == "s" else f"{value:.0f} {unit}"
        value /= most
    return f"{value:.0f} y"


def pretty(value: Any, most: int = _MAX_JSON) -> str:
    """Indented JSON, of what would be too long compact JSON, of what still is the beginning."""
    encoded = msgspec.json.encode(value)
    if len(encoded) <= _MAX_INDENTED_BYTES or not nested_deeper_than(encoded[:most], _MAX_INDENTED_DEPTH):
        indented = msgspec.json.format(encoded, indent=2) if len(encoded) <= most else encoded
        encoded = indented if len(indented) <= most else encoded
    return brief(encoded[: 4 * most].decode(errors="ignore"), most)


def size(number: int) -> str:
    """A number with its thousands set apart."""
    return f"{number:,}"


def link(path: str, **parameters: object) -> str:
    """An address with its query; a parameter that is None or empty is left out."""
    query = {name: _text(value) for name, value in parameters.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(query)}" if query else path


def job_link(job: str, **parameters: object) -> str:
    """The page of a job: its chain upwards and the tree below it."""
    return link("/ui/jobs", job=job, **parameters)


def search_link(sought: str) -> str:
    """A search for a job or id that the log may not know."""
    return link("/ui/find", q=sought)


def entity_link(entity_type: str, entity_id: UUID | str, **parameters: object) -> str:
    """The page of an album, artist or track: its summary and its timeline."""
    return link(f"/ui/entities/{quote(str(entity_type), safe='')}/{entity_id}", **parameters)


def has_page(entity_type: str | None, entity_id: UUID | None) -> bool:
    """Whether an entity has a page: a legacy row may have another type."""
    return entity_id is not None and entity_type in frozenset(EntityType)


def _text(value: object) -> str:
    return "true" if value is True else exact(value) if isinstance(value, datetime) else str(value)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    function.__name__: function
    for function in (
        visible,
        brief,
        some,
        category_tone,
        status_tone,
        humanize,
        entity_label,
        why_unknown,
        how_known,
        exact,
        moment,
        age,
        span,
        pretty,
        size,
        job_link,
        search_link,
        entity_link,
        has_page,
    )
}
"""Filters of templates, by name."""
