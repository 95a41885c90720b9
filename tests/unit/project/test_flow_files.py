"""Which calls belong to a flow."""

import json
import subprocess
from pathlib import Path

from histories import event
from llamalog_schemas.events import is_root_override
from llamalog_schemas.limits import nested_deeper_than
from llamalog_tools.flow_files.flows import functions_of_flow
from llamalog_tools.flow_files.recorder import Recorder

INGEST = "/x/service/src/llamalog_service/ingest/ingest.py"
POLLS = "/x/service/src/llamalog_service/kafka/consumer/delivery.py"
PROBES = "/x/service/src/llamalog_service/telemetry/monitor.py"


def test_a_task_that_does_no_more_than_while_idle_is_not_of_the_flow() -> None:
    windows = {
        "idle": [("consume", POLLS, "poll"), ("probe", PROBES, "look"), ("probe", PROBES, "rare")],
        "flow": [("consume", POLLS, "poll"), ("consume", INGEST, "record"), ("probe", PROBES, "look")],
    }
    assert functions_of_flow(windows) == {
        "llamalog_service/ingest/ingest.py": ["record"],
        "llamalog_service/kafka/consumer/delivery.py": ["poll"],
    }


def test_calls_of_our_functions_are_recorded_by_window_and_task(tmp_path: Path) -> None:
    a_message = event(1)
    report, recorder = tmp_path / "report.json", Recorder()
    recorder.start()
    recorder.open("idle")
    is_root_override(a_message)
    recorder.open("flow")
    subprocess.list2cmdline(["no function of ours"])
    nested_deeper_than(b"[[]]", 3)
    recorder.write(report)
    calls = json.loads(report.read_text())
    assert {call[2] for call in calls["idle"]} == {"is_root_override"}
    assert {call[1].rpartition("/")[2] for call in calls["flow"]} == {"limits.py"}
    assert {call[0] for call in calls["flow"]} == {"MainThread"}
