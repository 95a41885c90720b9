"""A day in the life of a music catalogue: the sample's albums told as the events of their producers."""

from collections.abc import Iterator
from itertools import count, islice

from llamalog_schemas.events import EntityEvent
from llamalog_tools.demo.albums import SampleAlbum, load_albums
from llamalog_tools.demo.catalogue import Catalogue
from llamalog_tools.demo.dice import Dice
from llamalog_tools.demo.story import tell_album
from llamalog_tools.demo.work import AlbumInWork

_WORKERS = 4
"""How many albums are in work at the same time."""


def tell_day(albums: int, seed: int) -> Iterator[EntityEvent]:
    """The events of a day on which `albums` albums are added, each after what caused it.

    Equal arguments give equal events, to the byte. Beyond the albums of the data file the facts repeat as
    further editions: new albums and tracks by artists who are linked. It holds a few stories at a time.

    Raises:
        InvalidSampleError: the data file that came with the package was damaged.
    """
    dice = Dice(seed)
    catalogue = Catalogue(dice)
    stories = (
        tell_album(AlbumInWork(album, edition, catalogue, dice))
        for album, edition in islice(_editions(), albums)
    )
    in_work = list(islice(stories, _WORKERS))
    while in_work:
        worker = dice.between(0, len(in_work) - 1)
        event = next(in_work[worker], None)
        if event is not None:
            yield event
            continue
        following = next(stories, None)
        if following is None:
            del in_work[worker]
        else:
            in_work[worker] = following


def _editions() -> Iterator[tuple[SampleAlbum, int]]:
    for edition in count(1):
        for album in load_albums():
            yield album, edition
