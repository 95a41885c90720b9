"""Access to the API and its pages: tokens, their principals and scopes."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from enum import IntEnum
from http import HTTPStatus
from typing import Final, NamedTuple

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
        producer: the CloudEvents source whose events the principal may take back; None: as the scope allows.
    """

    name: str
    scope: Scope
    producer: str | None = None

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

    Attributes:
        is_open: whether there are none.

    Args:
        tokens: where there are none, every client that reaches the port may do everything, so it has to be a
            loopback port.
    """

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self.tokens: Sequence[Token] = tuple(tokens)
        self.is_open = not self.tokens

    def find(self, token: str) -> Token | None:
        """The entry of a token, None if it is not known; takes the same time for every token."""
        digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
        found = None
        for known in self.tokens:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found
