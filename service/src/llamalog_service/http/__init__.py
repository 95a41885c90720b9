"""The log over HTTP: an API for programs, and pages for people, served by one process."""

from llamalog_service.http.app import create_app

__all__ = ["create_app"]
