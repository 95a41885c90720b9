"""The report of a scenario that failed."""

from collections.abc import Iterable

from simulation.history import Message
from simulation.play import Played
from simulation.scenario import Scenario


def replay_command(scenario: Scenario, whole: Scenario) -> str:
    """The command that plays exactly this again."""
    words = [f"make simulate SEED={scenario.seed}"]
    if len(scenario.messages) < len(whole.messages):
        words.append(f"MESSAGES={_list(scenario.messages)}")
    if len(scenario.faults) < len(whole.faults):
        words.append(f"FAULTS={_list(scenario.faults)}")
    return " ".join(words)


def story(scenario: Scenario, played: Played) -> str:
    """The messages, what befell, and what is wrong."""
    lines = [
        f"seed {scenario.seed}: {scenario.consumers} provenance, "
        f"{scenario.migration_consumers} migration consumers, {scenario.partitions} partitions, "
        f"batches of {scenario.max_records}",
        *(
            f"  {place:3} {_shown(message, scenario.partitions)}"
            for place, message in scenario.messages.items()
        ),
        *(f"  fault {place}, {fault}" for place, fault in scenario.faults.items()),
        *(f"  wrong: {line}" for line in played.wrong),
    ]
    return "\n".join(lines)


def _list(places: Iterable[int]) -> str:
    return ",".join(map(str, places)) or "none"


def _shown(message: Message, partitions: int) -> str:
    where = f"partition {message.partition % partitions}:"
    if message.event is None:
        return f"{where} no event, {message.value!r:.60}"
    data = message.event.data
    named = ", ".join(
        f"{word} {value}"
        for word, value in (
            ("job", getattr(data, "job_id", None)),
            ("parent", getattr(data, "parent_job_id", None)),
            ("declared", getattr(data, "root_job_id", None)),
            ("row", str(getattr(data, "row_id", ""))[:8]),
        )
        if value
    )
    return f"{where} {type(message.event).__name__} {message.event.time:%S.%f} {message.event.id[:8]} {named}"
