"""The catalogue that the sample day fills: which artists it holds by now, and whose turn a mishap is."""

from uuid import UUID

from llamalog_tools.demo.dice import Dice, Rota


class Catalogue:
    """What the stories of all albums share.

    Its size follows from the number of different artists, not of albums.
    """

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._artists: dict[str, UUID] = {}
        self.rate_limits = Rota(5, dice)
        self.lost_covers = Rota(8, dice)
        self.missing_artist_data = Rota(12, dice)
        self.corrections = Rota(4, dice)
        self.syncs = Rota(3, dice)

    def artist(self, name: str) -> tuple[UUID, bool]:
        """The id of an artist and whether the catalogue held it already; it does from now on."""
        known = self._artists.get(name)
        if known is not None:
            return known, True
        created = self._artists[name] = self._dice.uuid()
        return created, False
