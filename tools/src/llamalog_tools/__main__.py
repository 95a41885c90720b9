"""``python -m llamalog_tools``: the same as the command `llamalog-dev`."""

from llamalog_tools.cli import app

app(prog_name="llamalog-dev")
