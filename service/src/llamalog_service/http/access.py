"""Who may do what: tokens with a name and a scope, of which only digests are kept."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from http import HTTPStatus
from typing import Final, NamedTuple

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.http.problems import ProblemError

_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_NAME: Final = re.compile(r"[\w.@-]{1,60}")
_SHORTEST_TOKEN: Final = 16


class Scope(IntEnum):
    """What a token allows; each includes those before it."""

    READ = 1
    OPERATE = 2
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()


class Principal(NamedTuple):
    """Whoever asks.

    Attributes:
        name: of the token; kept with what was asked for.
    """

    name: str
    scope: Scope

    def may(self, scope: Scope) -> bool:
        """Whether this is allowed."""
        return self.scope >= scope


class Token(NamedTuple):
    """A token as it is kept.

    Attributes:
        digest: SHA-256 of the token, in hexadecimal.
    """

    principal: Principal
    digest: str


class TokensInvalidError(LlamalogError):
    """The tokens of the API cannot be read; nothing was started."""

    def __init__(self, line: int, wrong: str) -> None:
        super().__init__(
            f"Line {line} of the API's tokens: {wrong}. Nothing was started. A line looks like "
            "`alice operate sha256:<64 hexadecimal digits>`, or has the token itself in place of its digest; "
            "the scopes are read, operate and admin."
        )


def require(principal: Principal, scope: Scope) -> None:
    """Let nobody go on who may not do this.

    Raises:
        ProblemError: 403.
    """
    if not principal.may(scope):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"This needs the scope {scope}; {principal.name} has {principal.scope}. Nothing was done.",
            kind="scope",
        )


LOCAL: Final = Principal("local", Scope.ADMIN)
"""Whoever asks where there are no tokens: somebody on this machine."""


class Access:
    """Tells who asks.

    Args:
        tokens: none: everybody who reaches the port may do everything, so it has to be a loopback port.
    """

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self.tokens: Sequence[Token] = tuple(tokens)

    @property
    def is_open(self) -> bool:
        """Whether there are no tokens."""
        return not self.tokens

    def find(self, token: str) -> Token | None:
        """The entry of a token, None if it is not known; as long in coming for every token."""
        digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
        found = None
        for known in self.tokens:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found


def parse_tokens(text: str) -> list[Token]:
    """The tokens of a file or a variable: one a line, `#` begins a comment.

    Raises:
        TokensInvalidError: names the line, never what stands in it.
    """
    tokens: list[Token] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        token = _parse_line(number, words)
        if any(token.principal.name == other.principal.name for other in tokens):
            raise TokensInvalidError(number, "its name is given twice")
        if any(token.digest == other.digest for other in tokens):
            raise TokensInvalidError(number, "its token is given twice")
        tokens.append(token)
    return tokens


def _parse_line(number: int, words: Sequence[str]) -> Token:
    if len(words) != 3:
        raise TokensInvalidError(number, f"it has {len(words)} words in place of a name, scopes and a token")
    name, scopes, token = words
    if not _NAME.fullmatch(name):
        raise TokensInvalidError(number, "a name has 1 to 60 letters, digits and `._@-`")
    known = {str(scope): scope for scope in Scope}
    if not all(scope in known for scope in scopes.split(",")):
        raise TokensInvalidError(number, "it names a scope that there is not")
    scope = max(known[named] for named in scopes.split(","))
    if token.startswith("sha256:"):
        digest = _DIGEST.fullmatch(token)
        if digest is None:
            raise TokensInvalidError(number, "a digest has 64 hexadecimal digits, in lower case")
        return Token(Principal(name, scope), digest[1])
    if len(token) < _SHORTEST_TOKEN:
        raise TokensInvalidError(number, f"a token has at least {_SHORTEST_TOKEN} characters")
    return Token(Principal(name, scope), hashlib.sha256(token.encode()).hexdigest())
