"""The sample catalogue: real albums, artists and tracks, from which a sample day is generated."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeVar

from llamalog_service.domain.errors import LlamalogError

_FILE = "albums.toml"
_DURATION = re.compile(r"([0-9]{1,3}):([0-5][0-9])")
_REQUIRED = frozenset({"title", "artists", "year", "tracks"})
_OPTIONAL = frozenset({"genre", "label", "country"})
_KINDS = {str: "text", int: "positive whole number", list: "list", dict: "table"}

T = TypeVar("T", str, int, list[object], dict[str, object])


class InvalidSampleError(LlamalogError):
    """The data file has not the shape that its head documents; the message names the entry."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{_FILE}: {where} {what}. No sample album was loaded; correct that entry.")


@dataclass(frozen=True, slots=True)
class SampleTrack:
    """One track; `number` counts from 1 on every disc, `extra_artists` are those beside the album's own."""

    disc: int
    number: int
    title: str
    duration_seconds: int
    extra_artists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SampleAlbum:
    """One album; the first of `artists` is the main one, from `country` (ISO 3166-1 alpha-2).

    The only artist of a compilation is `Various Artists`; its tracks name theirs in `extra_artists`.
    """

    title: str
    artists: tuple[str, ...]
    year: int
    genre: str | None
    label: str | None
    country: str | None
    tracks: tuple[SampleTrack, ...]


@cache
def load_albums() -> tuple[SampleAlbum, ...]:
    """The albums of the sample catalogue, by year of release.

    Raises:
        InvalidSampleError: the data file of the package was damaged.
    """
    return parse_albums(resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8"))


def parse_albums(text: str) -> tuple[SampleAlbum, ...]:
    """The albums of a TOML text in the format of the data file.

    Raises:
        InvalidSampleError: the text is no TOML, or an entry has not the documented shape.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSampleError("the file", f"is not valid TOML ({error})") from error
    entries = _filled(document.get("albums"), list, "[[albums]]")
    return tuple(_album(entry, f"album {position}") for position, entry in enumerate(entries, start=1))


def _album(entry: object, where: str) -> SampleAlbum:
    table = _filled(entry, dict, where)
    title = _filled(table.get("title"), str, f"{where}: title")
    where = f"{where} ({title})"
    if unknown := table.keys() - _REQUIRED - _OPTIONAL:
        raise InvalidSampleError(where, f"has the unknown key {', '.join(sorted(unknown))}")
    rows = _filled(table.get("tracks"), list, f"{where}: tracks")
    return SampleAlbum(
        title=title,
        artists=_names(table.get("artists"), f"{where}: artists"),
        year=_filled(table.get("year"), int, f"{where}: year"),
        **{key: _filled(table[key], str, f"{where}: {key}") if key in table else None for key in _OPTIONAL},
        tracks=tuple(_track(row, f"{where}, track {nth}") for nth, row in enumerate(rows, start=1)),
    )


def _track(entry: object, where: str) -> SampleTrack:
    row = _filled(entry, list, where)
    if len(row) not in {4, 5}:
        raise InvalidSampleError(where, f'is {row!r}, not [disc, number, title, "m:ss", [artists]]')
    return SampleTrack(
        disc=_filled(row[0], int, f"{where}: disc"),
        number=_filled(row[1], int, f"{where}: number"),
        title=_filled(row[2], str, f"{where}: title"),
        duration_seconds=_seconds(_filled(row[3], str, f"{where}: duration"), f"{where}: duration"),
        extra_artists=_names(row[4], f"{where}: artists") if len(row) == 5 else (),
    )


def _names(value: object, where: str) -> tuple[str, ...]:
    return tuple(_filled(name, str, where) for name in _filled(value, list, where))


def _seconds(text: str, where: str) -> int:
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * 60 + int(match[2]) if match else 0
    if seconds == 0:
        raise InvalidSampleError(where, f'is {text!r}, not a positive number of minutes and seconds, "m:ss"')
    return seconds


def _filled(value: object, kind: type[T], where: str) -> T:
    negative = isinstance(value, int) and value < 0
    if not isinstance(value, kind) or isinstance(value, bool) or not value or negative:
        found = "missing or empty" if value in (None, "", [], {}) else repr(value)
        raise InvalidSampleError(where, f"is {found}, not a {_KINDS[kind]}")
    return value
