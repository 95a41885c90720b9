"""One album while the day's producers work on it: what their statements have in common."""

from typing import Any, Final

from llamalog_tools.demo.albums import SampleAlbum
from llamalog_tools.demo.catalogue import Catalogue
from llamalog_tools.demo.dice import Dice
from llamalog_tools.demo.voice import Job, Voice

CATALOGUE: Final = "/catalogue/albums"
ENRICHMENT: Final = "/catalogue/enrichment"
IMAGES: Final = "/catalogue/images"
REVIEW: Final = "/catalogue/review"
SYNC: Final = "/sync/spotify"
"""The producers, as CloudEvents sources."""

_NOBODY = "Various Artists"
"""What stands where a compilation's artist would; it is no artist."""


class AlbumInWork:
    """An album with the ids that it got and the two jobs from which all its others come.

    Attributes:
        artists: the album's artists by name; none on a compilation.
        has_artist_data: whether the source that the album was created from names them.
        named: what events about the album say in `metadata` so that a reader recognises it.
        root: the job that created the album.
        enriching: the job below it that enriches the album.
    """

    def __init__(self, album: SampleAlbum, edition: int, catalogue: Catalogue, dice: Dice) -> None:
        self.album = album
        self.catalogue = catalogue
        self.dice = dice
        self.voice = Voice(dice)
        self.album_id = dice.uuid()
        self.artists = tuple(name for name in album.artists if name != _NOBODY)
        self.has_artist_data = bool(self.artists) and not catalogue.missing_artist_data.comes_round()
        self.named: dict[str, Any] = {"title": album.title}
        if self.has_artist_data:
            self.named["artists"] = list(self.artists)
        if edition > 1:
            self.named["edition"] = edition
        self.root = self.voice.root_job(f"album-create-{self.album_id}", CATALOGUE)
        self.enriching = self.below(self.root, "enrich", ENRICHMENT)

    def below(self, parent: Job, name: str, source: str) -> Job:
        """A job that `parent` starts, named after what it does."""
        return self.voice.job_below(parent, f"{name}-{self.dice.uuid()}", source)
