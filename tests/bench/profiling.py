"""Where the consumer's time goes: a sampling profiler beside one drain, its samples counted by function."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.backlog import Backlog, fill
from bench.checks import inspect
from bench.drain import drain
from bench.installation import new_installation
from bench.run import Notify
from bench.servers import Servers, settle_disk
from bench.statements import EVERY_SECONDS, Statements, sampled_statements

_SAMPLES_A_SECOND = 250
_MOST_FREQUENT = 40


async def profile_drain(
    servers: Servers, backlog: Backlog, samples: Path, *, logs: Path, notify: Notify
) -> str:
    """Profile one drain; a report in Markdown.

    py-spy stops the consumer for a moment at every sample: the drain's own time is not a measurement.

    Args:
        samples: the file to write the consumer's samples to, as flame graphs are made from.
    """
    profilers: list[subprocess.Popen[bytes]] = []

    def attach(consumer: int) -> None:
        words = ["record", "--pid", str(consumer), "--rate", str(_SAMPLES_A_SECOND), "--format", "raw"]
        command = [str(Path(sys.executable).with_name("py-spy")), *words, "--output", str(samples)]
        profilers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    async with new_installation(servers, "profile") as installation:
        played = await fill(backlog, installation)
        await settle_disk(servers.postgres)
        async with sampled_statements(installation.database_url) as statements:
            drained = await drain(installation, played.messages, servers.pids(), logs, attach)
        for profiler in profilers:
            profiler.wait()  # it ends with the consumer
        for line in (await inspect(installation, backlog)).differences:
            notify(f"WRONG: {line}")
    return "\n".join(
        [
            *describe(_lines(samples), drained.settled, played.events),
            "",
            *describe_statements(statements, drained.settled),
            "",
        ]
    )


def _lines(samples: Path) -> list[str]:
    return samples.read_text().splitlines()


def describe(lines: Iterable[str], seconds: float, events: int) -> list[str]:
    """Samples as tables: the functions by own time, and by time with all that they call.

    Args:
        lines: stacks as py-spy writes them: frames from the outermost in, with `;` between, and a count.
    """
    own, inclusive = Counter[str](), Counter[str]()
    total = 0
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if not stack:
            continue  # a thread outside Python
        frames = [_function(frame) for frame in stack.split(";")]
        total += int(count)
        own[frames[-1]] += int(count)
        inclusive.update(dict.fromkeys(frames, int(count)))
    within = Counter({function: count for function, count in inclusive.items() if count < total})
    busy = total / _SAMPLES_A_SECOND
    per_event = 1e6 / _SAMPLES_A_SECOND / events
    head = (
        f"{total} samples, {_SAMPLES_A_SECOND} a second: busy for {busy:.1f} of {seconds:.1f} s, "
        f"{total * per_event:.1f} µs an event over {events} events. The own time of "
        "Runner.run is the event loop's: uvloop and its system calls.\n"
    )
    by_own, by_all = (
        _table(title, counted, total, per_event)
        for title, counted in (("own time", own), ("with what it calls", within))
    )
    return [head, *by_own, "", *by_all]


def describe_statements(seen: Statements, seconds: float) -> list[str]:
    """Statements by the time that sessions were busy with them."""
    looks = seconds / EVERY_SECONDS
    rows = [
        f"| {count / looks:.1%} | {program} | {waits_for} | {statement} |"
        for (program, waits_for, statement), count in seen.most_common(_MOST_FREQUENT)
    ]
    head = "| of the time | program | waits for | statement of PostgreSQL |"
    return [head, "|---|---|---|---|", *rows]


def _function(frame: str) -> str:
    """`name (file:line)` without the line, the file from its package on."""
    name, _, place = frame.partition(" (")
    file = place.rpartition(":")[0] or place.rstrip(")")
    return f"{name} ({file.rpartition('site-packages/')[2].rpartition('src/')[2]})"


def _table(title: str, counted: Counter[str], total: int, per_event: float) -> list[str]:
    rows = [
        f"| {count / total:.1%} | {count * per_event:.2f} | {function} |"
        for function, count in counted.most_common(_MOST_FREQUENT)
    ]
    return [f"| {title} | µs an event | function |", "|---|---|---|", *rows]
