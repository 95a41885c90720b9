"""The log over HTTP: an API for programs, and pages for people, served by one process.

Reading order: access, sessions, problems, guard, context, answers, operations, app, routes, ui.
"""

from llamalog_service.http.app import create_app

__all__ = ["create_app"]
