"""How one album gets into the catalogue and what happens to it afterwards, job by job.

    album-create ─┬─ check-album
                  ├─ enrich ─┬─ track-create ─┬─ track-artists
                  │          │                └─ enrich-track
                  │          └─ cache-cover
                  ├─ enrich-artist ── cache-image
                  └─ correction

Beside them a scheduler that knows no jobs says now and then what it synchronised.
"""

from collections.abc import Iterator

from llamalog_schemas.events import EntityEvent
from llamalog_tools.demo.about_albums import (
    album_checked,
    album_corrected,
    album_created,
    album_enriched,
    album_synchronised,
    cover_cached,
)
from llamalog_tools.demo.about_artists import album_artists, artist_enriched
from llamalog_tools.demo.about_tracks import track_created
from llamalog_tools.demo.work import AlbumInWork


def tell_album(work: AlbumInWork) -> Iterator[EntityEvent]:
    """The events of one album in causal order: a job speaks before those that it starts.

    Each event is made at the moment when it is asked for, so that stories can be told interleaved.
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
    if work.catalogue.corrections.comes_round():
        yield album_corrected(work)
    if work.catalogue.syncs.comes_round():
        yield album_synchronised(work)
