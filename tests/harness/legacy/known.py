"""The known database: 4,052 rows, of which 1,537 are root jobs, 30 have a parent and 2,485 have no job."""

from random import Random

from harness.legacy.oracle import category_of
from harness.legacy.rows import (
    WORK_OF_JOBS,
    WORK_WITHOUT_JOBS,
    Entities,
    Row,
    chosen,
    restricted,
    written_row,
)
from harness.legacy.schemas import StartingPoint

ROOT_JOBS, WITH_A_PARENT, WITHOUT_A_JOB = 1_537, 30, 2_485
ROWS = ROOT_JOBS + WITH_A_PARENT + WITHOUT_A_JOB
WITH_A_ROOT = ROOT_JOBS + WITH_A_PARENT

PARENTS_CLEARED = 11
"""How many root jobs name a parent all the same, once the table marks which rows are root jobs."""


def known_rows(
    entities: Entities, point: StartingPoint, seed: int = 1, *, lost_tops: bool = False
) -> list[Row]:
    """The rows of the known database at a starting point, in no order.

    The same seed gives the same rows at every starting point, but for what the application knew then.

    Args:
        lost_tops: twelve of the rows with a parent hang off jobs of which no row is left.
    """
    roots = _root_jobs(Random(f"{seed} roots"), entities)
    names = [str(row["job_id"]) for row in roots]
    tops = [f"bullmq:lost-{n}" for n in range(4)] if lost_tops else names[:4]
    children = _children(Random(f"{seed} children"), entities, names, tops)
    dice = Random(f"{seed} without")
    without = [written_row(dice, entities, chosen(dice, WORK_WITHOUT_JOBS)) for _ in range(WITHOUT_A_JOB)]
    if point >= StartingPoint.ROOT_FLAG:
        _flag(Random(f"{seed} flags"), roots, children, without)
    rows = roots + children + without
    if point >= StartingPoint.CATEGORY:
        _categorise(Random(f"{seed} categories"), rows)
    if point >= StartingPoint.ROOTS:
        _name_roots(Random(f"{seed} names"), roots, children, without)
    Random(f"{seed} order").shuffle(rows)
    return restricted(rows, point.columns)


def _root_jobs(dice: Random, entities: Entities) -> list[Row]:
    """A job logs one row, or several."""
    rows: list[Row] = []
    while len(rows) < ROOT_JOBS:
        operation = chosen(dice, WORK_OF_JOBS)
        job = f"{operation.replace(':', '-')}-{dice.getrandbits(40):010x}"
        for _ in range(min(dice.choice([1, 1, 1, 1, 2, 5]), ROOT_JOBS - len(rows))):
            rows.append(written_row(dice, entities, operation, job))
    return rows


def _children(dice: Random, entities: Entities, roots: list[str], tops: list[str]) -> list[Row]:
    """Most name the root itself, some the next of a chain, some one of the four tops."""
    chain = ["enrich-of-import", "tracks-of-import", "covers-of-import"]
    claims = [(f"child-{n}", dice.choice(roots)) for n in range(15)]
    claims += list(zip(chain, [roots[0], *chain], strict=False))
    claims += [(f"orphan-{n}", tops[n % 4]) for n in range(9)]
    claims += [
        ("grandorphan-1", "orphan-1"),
        ("grandorphan-2", "orphan-2"),
        ("grandorphan-3", "grandorphan-2"),
    ]
    return [written_row(dice, entities, chosen(dice, WORK_OF_JOBS), *claim) for claim in claims]


def _flag(dice: Random, roots: list[Row], children: list[Row], without: list[Row]) -> None:
    """Rows written before the column came kept its default, and some root jobs name a parent."""
    for row in roots:
        row["is_root_job"] = "true" if dice.random() < 0.6 else "false"
    for row in children:
        row["is_root_job"] = "false"
    for row in without:
        row["is_root_job"] = "true" if dice.random() < 0.01 else "false"
    for n, row in enumerate(dice.sample(roots, PARENTS_CLEARED)):
        row["is_root_job"] = "true"
        row["parent_job_id"] = [row["job_id"], "bullmq:never-logged", children[0]["job_id"]][n % 3]


def _categorise(dice: Random, rows: list[Row]) -> None:
    """As the rule would, but for the rows of which the application knew better."""
    for row in rows:
        by_rule = category_of(str(row["operation"]), str(row["status"]))
        row["category"] = by_rule if dice.random() < 0.9 else dice.choice(["CREATED", "CORRECTED", "CACHED"])


def _name_roots(dice: Random, roots: list[Row], children: list[Row], without: list[Row]) -> None:
    """Another program's roots: right, wrong, missing, and on rows that can have none; and links."""
    for row in roots:
        row["root_job_id"] = row["job_id"] if dice.random() < 0.9 else dice.choice([None, "elsewhere"])
    for row in children:
        row["root_job_id"] = dice.choice([row["parent_job_id"], row["job_id"], None])
    for row in without:
        row["root_job_id"] = "guessed" if dice.random() < 0.01 else None
    for row in dice.sample(roots + without, 40):
        row["category"] = "LINKED"
