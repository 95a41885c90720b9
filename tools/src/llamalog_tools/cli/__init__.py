"""The command `llamalog-dev`."""

from llamalog_tools.cli.main import app

__all__ = ["app"]
