"""What is told of a scenario that failed."""

from collections.abc import Iterable

from simulation.history import Said
from simulation.play import Played
from simulation.scenario import Scenario


def replay_command(scenario: Scenario, whole: Scenario) -> str:
    """The command that plays exactly this again."""
    words = [f"make simulate SEED={scenario.seed}"]
    if len(scenario.said) < len(whole.said):
        words.append(f"SAID={_list(scenario.said)}")
    if len(scenario.faults) < len(whole.faults):
        words.append(f"FAULTS={_list(scenario.faults)}")
    return " ".join(words)


def story(scenario: Scenario, played: Played) -> str:
    """What was said, what befell, and what is wrong."""
    lines = [
        f"seed {scenario.seed}: {scenario.consumers} provenance, "
        f"{scenario.migration_consumers} migration consumers, {scenario.partitions} partitions, "
        f"batches of {scenario.max_records}",
        *(f"  {place:3} {_shown(said, scenario.partitions)}" for place, said in scenario.said.items()),
        *(f"  fault {place}, {fault}" for place, fault in scenario.faults.items()),
        *(f"  wrong: {line}" for line in played.wrong),
    ]
    return "\n".join(lines)


def _list(places: Iterable[int]) -> str:
    return ",".join(map(str, places)) or "none"


def _shown(said: Said, partitions: int) -> str:
    where = f"partition {said.partition % partitions}:"
    if said.event is None:
        return f"{where} no event, {said.value!r:.60}"
    data = said.event.data
    named = ", ".join(
        f"{word} {value}"
        for word, value in (
            ("job", data.job_id),
            ("parent", getattr(data, "parent_job_id", None)),
            ("declared", getattr(data, "root_job_id", None)),
        )
        if value
    )
    return f"{where} {type(said.event).__name__} {said.event.time:%S.%f} {said.event.id[:8]} {named}"
