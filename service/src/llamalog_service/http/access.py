"""Access to the API and its pages: principals, their scopes, and the paths that decide who is let in."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from enum import IntEnum
from http import HTTPStatus
from typing import Final, NamedTuple

from starlette.requests import HTTPConnection

from llamalog_service.http.problems import ProblemError


class Scope(IntEnum):
    """Permissions of a token; each includes those before it."""

    READ = 1
    OPERATE = 2
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()


class Principal(NamedTuple):
    """The holder of a token.

    Attributes:
        name: of the token; recorded with every requested change.
    """

    name: str
    scope: Scope

    def may(self, scope: Scope) -> bool:
        """Whether the principal's scope includes this one."""
        return self.scope >= scope


class Token(NamedTuple):
    """A token in memory.

    Attributes:
        digest: SHA-256 of the token, in hexadecimal.
    """

    principal: Principal
    digest: str


LOCAL: Final = Principal("local", Scope.ADMIN)
"""The principal of every request where no tokens are configured: a user of this machine."""


def require(principal: Principal, scope: Scope) -> None:
    """Refuse a principal without this scope.

    Raises:
        ProblemError: 403.
    """
    if not principal.may(scope):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"This needs the scope {scope}; {principal.name} has {principal.scope}. Nothing was done.",
            kind="scope",
        )


class Access:
    """The configured tokens.

    Args:
        tokens: where there are none, every client that reaches the port may do everything, so it has to be a
            loopback port.
    """

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self.tokens: Sequence[Token] = tuple(tokens)

    @property
    def is_open(self) -> bool:
        """Whether no tokens are configured."""
        return not self.tokens

    def find(self, token: str) -> Token | None:
        """The entry of a token, None if it is not known; takes the same time for every token."""
        digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
        found = None
        for known in self.tokens:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found


def path_of(request: HTTPConnection) -> str:
    """The path by which routes are found.

    `request.url` is no substitute: it is composed of the Host header and the query string, too, so that a
    crafted header could make it fail, or pass for another path.
    """
    path: str = request.scope["path"]
    return path


def path_and_query(request: HTTPConnection) -> str:
    """The path with its query string, as a link within this site; without a query that is no text."""
    query = request.scope["query_string"].decode("ascii", errors="replace")
    return f"{path_of(request)}?{query}" if query and query.isascii() else path_of(request)


def is_page(request: HTTPConnection) -> bool:
    """Whether the path is one of the pages for people."""
    path = path_of(request)
    return path in ("/ui", "/docs") or path.startswith("/ui/")
