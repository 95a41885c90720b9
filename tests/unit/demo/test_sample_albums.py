import re
import unicodedata
from collections import Counter
from itertools import pairwise

import pytest

from llamalog_tools.demo.albums import InvalidSampleError, SampleAlbum, load_albums, parse_albums

_VALID = """
[[albums]]
title = "Blue Train"
artists = ["John Coltrane"]
year = 1958
tracks = [[1, 1, "Blue Train", "10:43"], [1, 2, "Moment's Notice", "9:10", ["Lee Morgan"]]]
"""


def _album(title: str) -> SampleAlbum:
    (album,) = (album for album in load_albums() if album.title == title)
    return album


def _everybody_on(album: SampleAlbum) -> set[str]:
    return {*album.artists} | {artist for track in album.tracks for artist in track.extra_artists}


def test_the_catalogue_has_at_least_thirty_albums_by_year_of_release() -> None:
    albums = load_albums()
    assert len(albums) >= 30
    assert all(earlier.year <= later.year for earlier, later in pairwise(albums))
    assert len({album.year // 10 for album in albums}) >= 5


@pytest.mark.parametrize("album", load_albums(), ids=lambda album: album.title)
def test_tracks_are_numbered_consecutively_on_consecutive_discs(album: SampleAlbum) -> None:
    discs = Counter(track.disc for track in album.tracks)
    expected = [(disc, number) for disc in range(1, len(discs) + 1) for number in range(1, discs[disc] + 1)]
    assert [(track.disc, track.number) for track in album.tracks] == expected


def test_no_duration_is_mistyped_beyond_what_a_record_holds() -> None:
    assert all(track.duration_seconds > 0 for album in load_albums() for track in album.tracks)
    for album in load_albums():
        for disc in {track.disc for track in album.tracks}:
            assert sum(track.duration_seconds for track in album.tracks if track.disc == disc) <= 80 * 60


def test_no_artist_has_two_albums_of_one_title() -> None:
    pairs = Counter((artist, album.title) for album in load_albums() for artist in album.artists)
    assert pairs.most_common(1)[0][1] == 1


def test_no_track_repeats_an_artist_of_its_album_or_of_its_own() -> None:
    for album in load_albums():
        for track in album.tracks:
            names = [*album.artists, *track.extra_artists]
            assert len(names) == len(set(names)), (album.title, track.title)


def test_artists_recur_across_albums_as_main_artists_and_as_guests() -> None:
    albums = load_albums()
    own = Counter(artist for album in albums for artist in album.artists)
    everywhere = Counter(artist for album in albums for artist in _everybody_on(album))
    assert {"Daft Punk", "Kendrick Lamar", "Massive Attack", "Radiohead"} <= {
        a for a, n in own.items() if n > 1
    }
    assert {"Beyoncé", "The Weeknd", "De La Soul", "Lou Reed"} <= {
        a for a, n in everywhere.items() if n > own[a]
    }
    assert sum(n > 1 for n in everywhere.values()) >= 20


def test_no_artist_is_spelled_in_two_ways() -> None:
    def plain(name: str) -> str:
        characters = unicodedata.normalize("NFKD", name.casefold())
        return re.sub(r"[^a-z0-9]", "", characters.removeprefix("the "))

    names = {name for album in load_albums() for name in _everybody_on(album)}
    assert len({plain(name) for name in names}) == len(names)


def test_characters_outside_ascii_are_intact_and_composed() -> None:
    assert [track.title for track in _album("Ágætis byrjun").tracks][4:7] == [
        "Ný batterí",
        "Hjartað hamast (bamm bamm bamm)",
        "Viðrar vel til loftárása",
    ]
    assert _album("Motomami").artists == ("Rosalía",)
    assert _album("Buena Vista Social Club").tracks[5].title == "¿Y tú qué has hecho?"
    for album in load_albums():
        for text in (album.title, *_everybody_on(album), *(track.title for track in album.tracks)):
            assert unicodedata.is_normalized("NFC", text)
            assert text == text.strip()
            assert "\ufffd" not in text


def test_a_double_album_a_compilation_and_an_album_of_one_track_are_among_them() -> None:
    assert {track.disc for track in _album("The Beatles").tracks} == {1, 2}
    assert all(track.extra_artists for track in _album("Trainspotting").tracks)
    (amarok,) = _album("Amarok").tracks
    assert amarok.duration_seconds == 3602


def test_a_known_album_is_read_field_by_field() -> None:
    album = _album("Random Access Memories")
    assert (album.artists, album.year, album.label, album.country) == (("Daft Punk",), 2013, "Columbia", "FR")
    assert sum(track.duration_seconds for track in album.tracks) == 74 * 60 + 24
    lucky = album.tracks[7]
    assert (lucky.disc, lucky.number, lucky.title, lucky.duration_seconds) == (1, 8, "Get Lucky", 367)
    assert lucky.extra_artists == ("Pharrell Williams", "Nile Rodgers")


def test_the_catalogue_is_read_once() -> None:
    assert load_albums() is load_albums()


def test_what_an_album_may_leave_out_is_none() -> None:
    (album,) = parse_albums(_VALID)
    assert (album.genre, album.label, album.country) == (None, None, None)
    assert [track.extra_artists for track in album.tracks] == [(), ("Lee Morgan",)]


@pytest.mark.parametrize(
    ("written", "instead", "complaint"),
    [
        ('"9:10"', '"9:70"', "album 1 (Blue Train), track 2: duration is '9:70'"),
        ('"9:10"', '"0:00"', "track 2: duration is '0:00', not a positive number"),
        ('"9:10"', "550", "track 2: duration is 550, not a text"),
        ("[1, 2,", "[1, -2,", "track 2: number is -2, not a positive whole number"),
        ("[1, 2,", "[true, 2,", "track 2: disc is True, not a positive whole number"),
        ("[1, 2,", "[2,", 'track 2: number is "Moment\'s Notice", not a positive whole number'),
        ('"9:10", ', "", "track 2: duration is ['Lee Morgan'], not a text"),
        ('["Lee Morgan"]', '"Lee Morgan"', "track 2: artists is 'Lee Morgan', not a list"),
        ('["Lee Morgan"]', '["Lee Morgan"], 5', 'not [disc, number, title, "m:ss", [artists]]'),
        ('["John Coltrane"]', "[]", "album 1 (Blue Train): artists is missing or empty, not a list"),
        ('title = "Blue Train"', "", "album 1: title is missing or empty, not a text"),
        ("year = 1958", "", "album 1 (Blue Train): year is missing or empty"),
        ("year = 1958", "yaer = 1958", "album 1 (Blue Train) has the unknown key yaer"),
        ("[[albums]]", "[[album]]", "[[albums]] is missing or empty, not a list"),
        ("year = 1958", "year = ", "the file is not valid TOML"),
    ],
)
def test_a_damaged_entry_is_named_with_what_was_expected(written: str, instead: str, complaint: str) -> None:
    with pytest.raises(InvalidSampleError) as refusal:
        parse_albums(_VALID.replace(written, instead))
    assert complaint in str(refusal.value)
    assert "No sample album was loaded" in str(refusal.value)
