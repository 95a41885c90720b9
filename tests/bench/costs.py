"""What work costs: CPU time of processes and of those that they started, and their peak memory."""

from collections.abc import Mapping
from pathlib import Path

import psutil

CpuSeconds = dict[str, float]


def cpu_seconds(pids: Mapping[str, int]) -> CpuSeconds:
    """User and system time so far of each process by name, its children's and its ended children's too."""
    return {name: _family_seconds(pid) for name, pid in pids.items()}


def cpu_spent(before: CpuSeconds, after: CpuSeconds) -> CpuSeconds:
    """What was spent between two readings."""
    return {name: after[name] - before[name] for name in before}


def _family_seconds(pid: int) -> float:
    program = psutil.Process(pid)
    seconds = 0.0
    for member in (program, *program.children(recursive=True)):
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it ended between two looks; its parent has its time now
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def peak_memory(pid: int) -> int:
    """The most memory that a running process ever had resident, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    raise OSError(f"the kernel does not report the peak memory of process {pid}")
