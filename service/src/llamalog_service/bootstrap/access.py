"""Who may ask over HTTP: the tokens of the settings, and where an API without any may listen."""

import stat
from ipaddress import ip_address
from pathlib import Path

import structlog

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.http.access import Access, Token, parse_tokens
from llamalog_service.settings import Settings, setting_name

_log = structlog.get_logger("llamalog.api")


class ApiUnguardedError(LlamalogError):
    """Without tokens the API would answer everybody who reaches its address."""

    exit_code = ExitCode.SETTINGS

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The API was not started: it has no tokens, and {host} ({setting_name('api_host')}) is no "
            f"loopback address, so whoever reaches this machine could read and change everything. Set tokens "
            f"({setting_name('api_tokens_file')}), or listen on 127.0.0.1."
        )


class TokensUnreadableError(LlamalogError):
    """The file of the API's tokens cannot be read, or has none in it."""

    exit_code = ExitCode.SETTINGS


def read_access(settings: Settings) -> Access:
    """Who may do what.

    Raises:
        LlamalogError: the tokens cannot be read, or there are none where there have to be some.
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
            "no tokens: whoever is on this machine may read and change everything",
            listens_on=settings.api_host,
            guard_with=setting_name("api_tokens_file"),
        )
    return access


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
            "variable: then only this machine is answered."
        )
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        _log.warning("others can read the file of tokens", file=str(file), cure=f"chmod 600 {file}")
    return tokens


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
