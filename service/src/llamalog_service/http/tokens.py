"""Tokens of the API, as the settings give them; only their digests are kept."""

import hashlib
import re
import stat
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import structlog

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.http.access import Access, Principal, Scope, Token
from llamalog_service.settings import Settings, setting_name

_log = structlog.get_logger("llamalog.api")

_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_NAME: Final = re.compile(r"[\w.@-]{1,60}")
_MIN_TOKEN_LENGTH: Final = 16


class TokensInvalidError(LlamalogError):
    """The tokens of the API cannot be read; nothing was started."""

    def __init__(self, line: int, wrong: str) -> None:
        super().__init__(
            f"Line {line} of the API's tokens: {wrong}. Nothing was started. A line looks like "
            "`alice operate sha256:<64 hexadecimal digits>`, or has the token itself instead of its digest; "
            "the scopes are read, operate and admin. `producer=<source>` may follow; in it a blank is "
            "written as %20, a percent sign as %25."
        )


class ApiUnguardedError(LlamalogError):
    """The API has no tokens, and an address that other machines can reach."""

    exit_code = ExitCode.SETTINGS

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The API was not started: it has no tokens, and {host} ({setting_name('api_host')}) is no "
            f"loopback address, so every client that reaches it could read and change everything. Set tokens "
            f"({setting_name('api_tokens_file')}), or listen on 127.0.0.1."
        )


class TokensUnreadableError(LlamalogError):
    """The file of the API's tokens cannot be read, or holds none."""

    exit_code = ExitCode.SETTINGS


def read_access(settings: Settings) -> Access:
    """The access of an API with these settings.

    Raises:
        LlamalogError: the tokens cannot be read, or there are none for an address that is no loopback.
    """
    tokens: list[Token] = []
    if settings.api_tokens is not None:
        tokens += parse_tokens(settings.api_tokens.get_secret_value().replace(";", "\n"))
    if settings.api_tokens_file is not None:
        tokens += _tokens_in(settings.api_tokens_file)
    access = Access(tokens)
    if access.is_open and not _is_loopback(settings.api_host):
        raise ApiUnguardedError(settings.api_host)
    if access.is_open:
        _log.warning(
            "no tokens: every user of this machine may read and change everything",
            listens_on=settings.api_host,
            guard_with=setting_name("api_tokens_file"),
        )
    return access


def parse_tokens(text: str) -> list[Token]:
    """The tokens of a file or a variable: one a line, `#` begins a comment.

    Raises:
        TokensInvalidError: names the line, never its content.
    """
    tokens: list[Token] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        token = _parse_line(number, fields)
        if any(token.principal.name == other.principal.name for other in tokens):
            raise TokensInvalidError(number, "its name is given twice")
        if any(token.digest == other.digest for other in tokens):
            raise TokensInvalidError(number, "its token is given twice")
        tokens.append(token)
    return tokens


def _parse_line(number: int, fields: Sequence[str]) -> Token:
    if len(fields) not in (3, 4):
        raise TokensInvalidError(number, f"it has {len(fields)} fields instead of a name, scopes and a token")
    name, scopes, token, *more = fields
    if not _NAME.fullmatch(name):
        raise TokensInvalidError(number, "a name has 1 to 60 letters, digits and `._@-`")
    known = {str(scope): scope for scope in Scope}
    if not all(scope in known for scope in scopes.split(",")):
        raise TokensInvalidError(number, "it names an unknown scope")
    principal = Principal(name, max(known[named] for named in scopes.split(",")), _producer(number, more))
    if token.startswith("sha256:"):
        digest = _DIGEST.fullmatch(token)
        if digest is None:
            raise TokensInvalidError(number, "a digest has 64 hexadecimal digits, in lower case")
        return Token(principal, digest[1])
    if len(token) < _MIN_TOKEN_LENGTH:
        raise TokensInvalidError(number, f"a token has at least {_MIN_TOKEN_LENGTH} characters")
    return Token(principal, hashlib.sha256(token.encode()).hexdigest())


def _producer(number: int, fields: Sequence[str]) -> str | None:
    """The producer that a line names behind its token."""
    for field in fields:
        key, _, source = field.partition("=")
        if key != "producer" or not source:
            raise TokensInvalidError(number, "what follows its token is not `producer=` and a source")
        try:
            return unquote(source, errors="strict")
        except UnicodeDecodeError:
            raise TokensInvalidError(number, "the source behind `producer=` is no UTF-8") from None
    return None


def _tokens_in(file: Path) -> list[Token]:
    name = setting_name("api_tokens_file")
    try:
        text = file.read_text(encoding="utf-8")
        mode = file.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise TokensUnreadableError(
            f"The API was not started: its tokens cannot be read from {file} ({name}): "
            f"{type(error).__name__}. Correct the path or its rights, or unset the variable."
        ) from None
    tokens = parse_tokens(text)
    if not tokens:
        raise TokensUnreadableError(
            f"The API was not started: there is no token in {file} ({name}). Without any, unset the "
            "variable: the API then answers this machine only."
        )
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        _log.warning("others can read the file of tokens", file=str(file), cure=f"chmod 600 {file}")
    return tokens


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
