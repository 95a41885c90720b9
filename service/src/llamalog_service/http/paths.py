"""The path that is asked for: one word for whoever lets in, whoever routes and whoever tells of it."""

from starlette.requests import HTTPConnection


def path_of(request: HTTPConnection) -> str:
    """The path by which routes are found.

    `request.url` is no substitute: it is composed of the Host header and the query string, too, so that what
    somebody writes there could fail in it, or pass for another path.
    """
    path: str = request.scope["path"]
    return path


def path_and_query(request: HTTPConnection) -> str:
    """The path with its query string, as a link within this site; without a query that is no text."""
    query = request.scope["query_string"].decode("ascii", errors="replace")
    return f"{path_of(request)}?{query}" if query and query.isascii() else path_of(request)
