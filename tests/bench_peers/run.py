"""The rounds: every contender once in each, in the same order, so that noise disturbs all alike."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.backlog import make_backlog
from bench.costs import cpu_seconds
from bench.floor import prepared_output
from bench.machine import OtherPrograms, load
from bench.run import Notify
from bench.servers import Servers, durability
from bench_peers.connect import BEST, DEFAULTS, Connect, find_connect, measure_connect
from bench_peers.flat import flat_messages
from bench_peers.outcome import Contender, MissingPeerError, Outcome
from bench_peers.own import measure_copy, measure_service, measure_the_floor
from bench_peers.rentgen import Rentgen, find_rentgen, measure_rentgen
from bench_peers.tutorial import Tutorial, measure_tutorial
from llamalog_tools.demo.publish import Played

KEYS = ("service", "floor", "copy", "connect", "connect-defaults", "tutorial", "rentgen")


class Plan(NamedTuple):
    """How much is measured.

    Attributes:
        only: the contenders, by key.
        require: a contender that cannot be had is an error, not left out.
        warm_up: drains that warm a JVM, between the cold and the warm one.
        tutorial: messages for the service as in a tutorial.
        runs, runs_with_datasets: for data-rentgen; two events each.
        cache: for what is fetched once; None: the user's own.
    """

    albums: int
    repeat: int
    only: Sequence[str]
    require: bool
    warm_up: int
    tutorial: int
    runs: int
    runs_with_datasets: int
    cache: Path | None


class Measured(NamedTuple):
    """All that was measured.

    Attributes:
        missing: a sentence for every contender that could not be had.
        loads: the machine's load of the last minute, before every round and at the end.
        others: cores that other programs kept busy, by round and contender's key.
    """

    albums: int
    played: Played
    outcomes: list[list[Outcome]]
    missing: list[str]
    loads: list[float]
    others: list[dict[str, float]]
    kafka: str
    durability: dict[str, str]


async def measure(servers: Servers, plan: Plan, *, folder: Path, notify: Notify) -> Measured:
    """Have every contender do its work, as often as planned, or until an interruption after the first round.

    Raises:
        MissingPeerError: one cannot be had, and is required.
        DrainError: one did not come to an end.
    """
    backlog = make_backlog(plan.albums)
    output = prepared_output(backlog.rows.values())
    missing: list[str] = []

    def contenders() -> Iterator[Contender]:
        yield Contender("service", partial(measure_service, servers, backlog, folder, notify))
        yield Contender("floor", partial(measure_the_floor, servers, backlog, output, notify))
        yield Contender("copy", lambda _: measure_copy(servers, output))
        rows = list(backlog.rows.values())
        if any(key.startswith("connect") for key in plan.only):
            try:
                java, jars = find_connect(plan.cache, notify)
                connect = Connect(servers, backlog, flat_messages(rows), java, jars, folder, plan.warm_up)
                for tuning in (BEST, DEFAULTS):
                    yield Contender(tuning.key, partial(measure_connect, connect, tuning))
            except MissingPeerError as reason:
                missing.append(str(reason))
        yield Contender(
            "tutorial", partial(measure_tutorial, Tutorial(servers, rows[: plan.tutorial], folder))
        )
        if "rentgen" in plan.only:
            try:
                python = find_rentgen(plan.cache, notify)
                runs = {False: plan.runs, True: plan.runs_with_datasets}
                yield Contender("rentgen", partial(_rentgen, Rentgen(servers, python, runs, folder)))
            except MissingPeerError as reason:
                missing.append(str(reason))

    measured = [contender for contender in contenders() if contender.key in plan.only]
    for reason in missing:
        if plan.require:
            raise MissingPeerError(reason)
        notify(reason)
    outcomes: list[list[Outcome]] = []
    loads = [load()]
    others: list[dict[str, float]] = []
    try:
        for turn in range(1, plan.repeat + 1):
            found, cores = await _round(measured, turn, notify)
            outcomes.append(found)
            others.append(cores)
            loads.append(load())
    except asyncio.CancelledError:
        if not outcomes:
            raise
        notify("Interrupted: the report is of the rounds before.")
    return Measured(
        plan.albums,
        Played.of(backlog.messages),
        outcomes,
        missing,
        loads,
        others,
        servers.kafka.name,
        await durability(servers.postgres),
    )


async def _round(
    contenders: list[Contender], turn: int, notify: Notify
) -> tuple[list[Outcome], dict[str, float]]:
    """One pass of every contender, and how many cores other programs kept busy during each."""
    outcomes: list[Outcome] = []
    others = {}
    for contender in contenders:
        own, watched = _own_seconds(), OtherPrograms.watched()
        found = await contender.measure(f"{contender.key}-{turn}")
        others[contender.key] = watched.cores(_own_seconds() - own)
        outcomes += found
        for one in found:
            notify(f"Round {turn}, {one.contender}: {one.events / one.seconds:,.0f} events/s.")
    return outcomes, others


async def _rentgen(rentgen: Rentgen, name: str) -> list[Outcome]:
    return [
        *await measure_rentgen(rentgen, with_datasets=False, name=f"{name}-runs"),
        *await measure_rentgen(rentgen, with_datasets=True, name=f"{name}-datasets"),
    ]


def _own_seconds() -> float:
    """CPU seconds of the bench and of all that it started."""
    return cpu_seconds({"bench": os.getpid()})["bench"]
