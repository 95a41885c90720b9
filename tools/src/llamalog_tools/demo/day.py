"""A day of a music catalogue: its albums are added, enriched and corrected, job by job.

    album-create ─┬─ check-album
                  ├─ enrich ─┬─ track-create ─┬─ track-artists
                  │          │                └─ enrich-track
                  │          └─ cache-cover
                  ├─ enrich-artist ── cache-image
                  └─ correction

Beside them a scheduler without jobs reports now and then that it has synchronised an album.
"""

from collections.abc import Iterator
from itertools import count, islice

from llamalog_schemas.events import EntityEvent
from llamalog_tools.demo.albums import SampleAlbum, load_albums
from llamalog_tools.demo.dice import Dice
from llamalog_tools.demo.events import (
    album_artists,
    album_checked,
    album_corrected,
    album_created,
    album_enriched,
    album_synchronised,
    artist_enriched,
    cover_cached,
    track_created,
)
from llamalog_tools.demo.producers import AlbumInWork, Catalogue

_WORKERS = 4
"""Albums that are processed at the same time."""


def generate_day(albums: int, seed: int) -> Iterator[EntityEvent]:
    """The events of a day on which `albums` albums are added, each after what caused it.

    Equal arguments give equal events, to the byte. Beyond the albums of the data file the facts repeat as
    further editions: new albums and tracks by artists who are linked. It holds
    the state of a few albums at a time.

    Raises:
        InvalidSampleError: the data file that came with the package was damaged.
    """
    dice = Dice(seed)
    catalogue = Catalogue(dice)
    albums_of_day = (
        generate_album(AlbumInWork(album, edition, catalogue, dice))
        for album, edition in islice(_editions(), albums)
    )
    in_work = list(islice(albums_of_day, _WORKERS))
    while in_work:
        worker = dice.between(0, len(in_work) - 1)
        event = next(in_work[worker], None)
        if event is not None:
            yield event
            continue
        following = next(albums_of_day, None)
        if following is None:
            del in_work[worker]
        else:
            in_work[worker] = following


def _editions() -> Iterator[tuple[SampleAlbum, int]]:
    for edition in count(1):
        for album in load_albums():
            yield album, edition


def generate_album(work: AlbumInWork) -> Iterator[EntityEvent]:
    """The events of one album in causal order: a job before those that it starts.

    Each event is made when the iterator advances, so that the events of several albums interleave in time.
    """
    yield album_created(work)
    unexplored = yield from album_artists(work)
    yield album_checked(work)
    yield from album_enriched(work)
    for track in work.album.tracks:
        yield from track_created(work, track)
    yield cover_cached(work)
    for name, artist_id in unexplored:
        yield from artist_enriched(work, name, artist_id)
    if work.catalogue.corrections.is_due():
        yield album_corrected(work)
    if work.catalogue.syncs.is_due():
        yield album_synchronised(work)
