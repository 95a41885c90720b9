"""The command `llamalog`."""

from llamalog_service.cli.main import app

__all__ = ["app"]
