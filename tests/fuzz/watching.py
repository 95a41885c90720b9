"""Inputs judged in processes of their own, so that one that crashes or stalls is found and named."""

import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from fuzz.inputs import Input, input_of

STALLED_CPU_SECONDS = 10.0
"""Of one input: ten thousand times what the slowest takes, on a busy machine, too."""

STALLED_SECONDS = 300.0
"""Without using the processor."""

_POLL_SECONDS = 0.1
_NOT_BEGUN = -1

ReplayPolicy = Callable[[Input], str]


@dataclass(frozen=True)
class Failure:
    """An input that was not judged as it has to be, and why."""

    number: int
    why: str


@dataclass
class Outcome:
    """What the inputs were, and the first failure of each worker."""

    kinds: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


@dataclass
class _Worker:
    process: BaseProcess
    reached: Any  # a shared integer: the number of the input under judgement
    results: Connection
    seen: int = _NOT_BEGUN
    at: float = 0.0
    cpu: float = 0.0


def fuzz(
    judge: ReplayPolicy,
    *,
    seed: int,
    first: int,
    inputs: int,
    workers: int,
    stalled_cpu_seconds: float = STALLED_CPU_SECONDS,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Judge inputs `first` to `first + inputs` of a seed.

    Args:
        judge: importable by name; it runs in other processes.
        stalled_cpu_seconds: of one input, after which it counts as stalled.
        progress: called with the number of inputs judged so far.
    """
    context = multiprocessing.get_context("spawn")
    started: list[_Worker] = []
    for share in range(workers):
        reached = context.Value("q", _NOT_BEGUN, lock=False)
        receiving, sending = context.Pipe(duplex=False)
        numbers = range(first + share, first + inputs, workers)
        process = context.Process(
            target=_judge_all, args=(judge, seed, numbers, reached, sending), daemon=True
        )
        process.start()
        sending.close()
        started.append(_Worker(process, reached, receiving, at=time.monotonic()))
    outcome = Outcome()
    open_workers = list(started)
    while open_workers:
        time.sleep(_POLL_SECONDS)
        for worker in list(open_workers):
            if _is_done(worker, outcome) or _has_stalled(worker, outcome, stalled_cpu_seconds):
                open_workers.remove(worker)
                worker.process.kill()
                worker.process.join()
        judged = sum(
            (worker.reached.value - first) // workers + 1 for worker in started if worker.reached.value >= 0
        )
        progress(max(0, judged - len(open_workers)))
    outcome.failures.sort(key=lambda failure: failure.number)
    return outcome


def _judge_all(judge: ReplayPolicy, seed: int, numbers: range, reached: Any, results: Connection) -> None:
    kinds: Counter[str] = Counter()
    failure: Failure | None = None
    for number in numbers:
        reached.value = number
        try:
            kinds[judge(input_of(seed, number))] += 1
        except BaseException:
            failure = Failure(number, traceback.format_exc())
            break
    results.send((kinds, failure))


def _is_done(worker: _Worker, outcome: Outcome) -> bool:
    """Whether it has returned its result, or died."""
    try:
        if not worker.results.poll():
            return False
        kinds, failure = worker.results.recv()
    except EOFError:
        worker.process.join()
        code = worker.process.exitcode
        outcome.failures.append(Failure(worker.reached.value, f"the process died of it, with code {code}"))
        return True
    outcome.kinds += kinds
    if failure is not None:
        outcome.failures.append(failure)
    return True


def _has_stalled(worker: _Worker, outcome: Outcome, cpu_seconds: float) -> bool:
    now = time.monotonic()
    try:
        times = psutil.Process(worker.process.pid).cpu_times()
    except psutil.NoSuchProcess:
        return False
    cpu = times.user + times.system
    if worker.reached.value != worker.seen or worker.seen == _NOT_BEGUN:
        worker.seen, worker.at, worker.cpu = worker.reached.value, now, cpu
        return False
    if cpu - worker.cpu < cpu_seconds and now - worker.at < STALLED_SECONDS:
        return False
    why = f"it stalled: {cpu - worker.cpu:.0f} s of CPU, {now - worker.at:.0f} s in all"
    outcome.failures.append(Failure(worker.seen, why))
    return True
