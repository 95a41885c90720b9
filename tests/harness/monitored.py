"""What a process reports of itself over HTTP."""

import json
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from harness.service import ServiceProcess


class Answer(NamedTuple):
    status: int
    body: str

    @property
    def reasons(self) -> list[str]:
        reasons: list[str] = json.loads(self.body)["reasons"]
        return reasons


def get(process: ServiceProcess, path: str) -> Answer:
    """What it answers; status 0 while it does not."""
    serving = process.logged("serving")
    if not serving:
        return Answer(0, "")
    try:
        with urlopen(f"{serving[-1]['address']}{path}", timeout=30) as response:  # noqa: S310
            return Answer(response.status, response.read().decode())
    except HTTPError as refusal:
        return Answer(refusal.code, refusal.read().decode())
    except OSError:
        return Answer(0, "")


def metrics_of(process: ServiceProcess) -> dict[str, float]:
    """Every sample by its name and labels, as in `name{label="value"}` without the empty ones."""
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(get(process, "/metrics").body):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if value)
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples
