"""The cycles that jobs hang on."""

from collections.abc import Mapping

from llamalog_service.domain.lineage import name_cycle


def cycles_below(parents: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The members of the cycle that each of these jobs is on or below.

    Args:
        parents: the parent of each job; every walk through it must come back to itself.
    """
    members: dict[str, tuple[str, ...]] = {}
    for start in parents:
        walk: dict[str, int] = {}
        job = start
        while job not in walk and job not in members:
            walk[job] = len(walk)
            job = parents[job]
        if job not in members:
            members[job] = name_cycle(list(walk)[walk[job] :])
        for passed in walk:
            members[passed] = members[job]
    return members
