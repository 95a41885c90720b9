"""Databases that go to the limits of the rules: deep, wide, round, crowded, and strange in every value."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import product
from random import Random

from harness.legacy.rows import Row, restricted, written_row
from harness.legacy.schemas import StartingPoint

_NOON = datetime(2025, 5, 5, 12)


class Scene:
    """Rows put together claim by claim; each is a second younger than the one before."""

    def __init__(self, seed: object = 1) -> None:
        self.rows: list[Row] = []
        self._dice = Random(f"{seed} scene")

    def add_row(
        self,
        job: str | None,
        parent: str | None = None,
        *,
        flag: bool = False,
        root: str | None = None,
        at: float | None = None,
        values: Row | None = None,
    ) -> None:
        """Add a row; `at` is its time in seconds after noon, `values` the values of other columns."""
        seconds = len(self.rows) if at is None else at
        row = written_row(
            self._dice, None, "enrichment:album", job, parent, at=_NOON + timedelta(seconds=seconds)
        )
        row |= {"is_root_job": str(flag).lower(), "category": "ENRICHED", "root_job_id": root}
        self.rows.append(row | (values or {}))

    def shuffled(self) -> None:
        """Put the rows in any order."""
        self._dice.shuffle(self.rows)


def adversarial_rows(point: StartingPoint, seed: int = 1) -> list[Row]:
    """Every difficulty once, in one table."""
    scene = Scene(seed)
    for fill in (_deep, _rings, _crowded, _missing, _flagged, _simultaneous, _long_names, _odd_names):
        fill(scene)
    scene.shuffled()
    return restricted(scene.rows, point.columns)


def _deep(scene: Scene) -> None:
    for name, depth in ("deep", 1000), ("bottomless", 1000):
        for n in range(depth, 0, -1):  # children first
            scene.add_row(f"{name}-{n}", f"{name}-{n - 1}", root=f"{name}-{n - 1}")
    scene.add_row("deep-0")


def _rings(scene: Scene) -> None:
    for size in (1, 2, 3, 50, 64, 65, 100):
        for n in range(size):
            scene.add_row(f"ring{size}-{n}", f"ring{size}-{(n + 1) % size}", root=f"ring{size}-0")
        scene.add_row(f"tail{size}-1", f"ring{size}-{size // 2}")
        scene.add_row(f"tail{size}-2", f"tail{size}-1")
        scene.add_row(None, f"tail{size}-2")
        scene.add_row(f"ring{size}-0")  # no claim: it opens nothing


def _crowded(scene: Scene) -> None:
    """Jobs with 500 rows: of one mind, silent but for one row, at odds, and on a ring."""
    scene.add_row("crowd-top")
    for n in range(500):
        scene.add_row("crowd-agreed", "crowd-top")
        scene.add_row("crowd-silent", "crowd-top" if n == 250 else None)
        scene.add_row("crowd-at-odds", ["crowd-top", "crowd-agreed", "nowhere", None][n % 4])
        scene.add_row("crowd-round", "crowd-round" if n % 2 else "crowd-top")
        scene.add_row("crowd-late", "crowd-silent", at=1_000_000 - n)
    scene.add_row("crowd-late", "crowd-top", at=1_000_000)


def _missing(scene: Scene) -> None:
    for n in range(20):
        scene.add_row(f"orphan-{n}", f"lost-{n % 3}")
        scene.add_row(None, f"orphan-{n}")
        scene.add_row(None, f"lost-{n % 5}")
        scene.add_row(f"grandorphan-{n}", f"orphan-{n}", root="elsewhere")
    scene.add_row(None, root="no row's")
    scene.add_row(None, flag=True, root="no row's")


def _flagged(scene: Scene) -> None:
    """Root jobs by their own word that name a parent all the same: they make no claim."""
    scene.add_row("flag-itself", "flag-itself", flag=True)
    scene.add_row("flag-below", "flag-itself", root="flag-itself")
    scene.add_row("flag-lost", "never-logged-at-all", flag=True)
    for n in range(4):
        scene.add_row(f"flag-ring-{n}", f"flag-ring-{(n + 1) % 4}", flag=n == 2)
    scene.add_row("flag-second-claim", "deep-5", flag=True)
    scene.add_row("flag-second-claim", "deep-6")
    scene.add_row("flag-second-claim", "deep-7")
    scene.add_row(None, "deep-8", flag=True)
    scene.add_row(None, "flag-ring-0")


def _simultaneous(scene: Scene) -> None:
    """Claims of one moment: the row's id decides; and of moments a millisecond apart."""
    for n in range(30):
        for parent in ("deep-1", "deep-2", "lost-1", f"moment-{n}"):
            scene.add_row(f"moment-{n}", parent, at=5)
        scene.add_row(f"tick-{n}", "deep-1", at=5.002)
        scene.add_row(f"tick-{n}", "deep-2", at=5.001)
        scene.add_row(f"tick-{n}", "deep-3", at=5.01)


def _long_names(scene: Scene) -> None:
    for n, letter in enumerate(("x", "ß", "猫", "🦙")):
        name = letter * 99
        scene.add_row(f"{name}0")
        scene.add_row(f"{name}1", f"{name}0", root=f"{name}0")
        scene.add_row(f"{name}2", f"{name}3", at=n)
        scene.add_row(f"{name}3", f"{name}2")
        scene.add_row(f"{name}4", f"{name}5")


def _odd_names(scene: Scene) -> None:
    """Names that a careless hand would take for nothing, for others, or for its own syntax."""
    names = [
        "",
        " ",
        "NULL",
        "null",
        "\\N",
        "{}",
        '{"a"}',
        "a,b",
        "'; --",
        "%s",
        "$1",
        "Ä",
        "ä",
        "é",
        "é",
        "\t\n",
    ]
    for n, name in enumerate(names):
        scene.add_row(name, names[n - 1] if n % 3 == 2 else None)
        scene.add_row(f"below {name}", name)
        scene.add_row(None, name)


def strange_values(point: StartingPoint, seed: int = 1) -> list[Row]:
    """Rows whose values no event could have: they must come through all the same.

    For a table to which the unknown values of `schemas` were added.
    """
    scene = Scene(seed)
    strange: list[dict[str, str | None]] = [
        {"status": "ARCHIVED"},
        {"entity_type": "LABEL"},
        {"data_quality_before": "PERFECT", "data_quality_after": "PERFECT"},
        {"category": "MERGED"},
        {"metadata": "[1, 2]"},
        {"metadata": '"text"'},
        {"metadata": "null", "preview_data": "null"},
        {"metadata": "17", "preview_data": "false"},
        {"metadata": '{"huge": ' + "9" * 400 + "}"},
        {"metadata": "[" * 3000 + "]" * 3000},
        {"metadata": '{"text": "' + "x" * 2_000_000 + '"}'},
        {"error_message": "y" * 1_000_000},
        {"retry_count": "-2147483648", "duration_ms": "2147483647"},
        {"retry_count": None, "api_call_count": None, "sources": None, "fields_enriched": None},
        {"operation": "", "reason": "", "triggered_by": "", "error_code": ""},
        {"operation": "ö" * 100},
        {"created_at": "infinity"},
        {"created_at": "-infinity"},
        {"created_at": "1969-12-31 23:59:59.999"},
        {"created_at": "12026-01-01 00:00:00"},
        {"created_at": "0044-03-15 12:00:00 BC"},
        {"reviewed_by": "somebody", "reviewScore": "9.99"},
        {"sources": "{{A,B},{C,D}}"},
        {"sources": "[5:6]={A,B}", "fields_enriched": "{NULL}"},
        {"user_id": "no such user"},
    ]
    lineages: list[Callable[[int], tuple[str | None, str | None]]] = [
        lambda n: (f"strange-{n}", None),
        lambda n: (f"below-strange-{n}", f"strange-{n}"),
        lambda _: (None, None),
        lambda n: (f"strange-{n}", "strange-0"),
    ]
    known = {"reviewed_by": None, "reviewScore": "1.50"}
    for (n, values), lineage in product(enumerate(strange), lineages):
        scene.add_row(*lineage(n), values=known | values)
    return restricted(scene.rows, (*point.columns, *known))


def wide_rows(point: StartingPoint, rows: int = 100_000) -> list[Row]:
    """One root, and all others below it: half of them its children, half its grandchildren."""
    scene = Scene("wide")
    for n in range(1, rows):
        scene.add_row(f"wide-{n}", "wide-0" if n % 2 else f"wide-{n - 1}", root=None)
    scene.add_row("wide-0")
    return restricted(scene.rows, point.columns)


def scrambles(count: int, seed: int = 1, flags: bool = True) -> Iterator[list[Row]]:
    """Small tables at random over few jobs, so that conflicts, rings and missing tops abound."""
    dice = Random(f"{seed} scrambles")
    for number in range(count):
        scene = Scene(f"{seed} {number}")
        jobs = [f"job-{letter}" for letter in "abcdefghij"[: dice.randint(2, 10)]]
        some = [None, *jobs, *jobs]
        for _ in range(dice.randint(1, 40)):
            scene.add_row(
                dice.choice(some),
                dice.choice(some),
                flag=flags and dice.random() < 0.2,
                root=dice.choice([None, *jobs]),
                at=dice.randrange(5),
            )
        yield scene.rows
