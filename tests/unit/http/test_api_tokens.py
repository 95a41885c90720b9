"""The tokens of the API: read from lines, kept as digests, found in constant time; where none are needed."""

from hashlib import sha256
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.http.access import LOCAL, Access, Scope
from llamalog_service.http.tokens import (
    ApiUnguardedError,
    TokensInvalidError,
    TokensUnreadableError,
    parse_tokens,
    read_access,
)
from llamalog_service.settings import Settings
from llamalog_service.telemetry.logging import _without_secrets

LONG = "a-token-that-is-long-enough"


def settings(**values: object) -> Settings:
    return Settings.model_validate(
        {"database_url": "postgresql://x@localhost/x", "kafka": "localhost:1", **values}
    )


def test_a_line_names_a_holder_scopes_and_a_token_or_its_digest() -> None:
    digest = sha256(LONG.encode()).hexdigest()
    text = f"# comment\n\nrita read {LONG}x\n otto  read,operate sha256:{digest}\nada admin {LONG}y"
    with pytest.raises(TokensInvalidError, match=r"Line 5 .* 6 fields"):
        parse_tokens(f"{text} # no comment")
    access = Access(parse_tokens(text))
    assert not access.is_open
    for token, name, scope in (
        (f"{LONG}x", "rita", Scope.READ),
        (LONG, "otto", Scope.OPERATE),
        (f"{LONG}y", "ada", Scope.ADMIN),
    ):
        found = access.find(token)
        assert found is not None
        assert (found.principal.name, found.principal.scope) == (name, scope)
        assert token not in repr(found)
    for unknown in ("", digest, f"sha256:{digest}", LONG + "\udcff", LONG.upper()):
        assert access.find(unknown) is None


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (f"rita {LONG}", "2 fields"),
        (f"rita write {LONG}", "scope"),
        (f"rita read, {LONG}", "scope"),
        (f"ri/ta read {LONG}", "name"),
        ("rita read short-token", "at least 16"),
        ("rita read sha256:abc", "64 hexadecimal"),
        (f"rita read {LONG}\nrita read {LONG}2", "twice"),
        (f"rita read {LONG}\notto read {LONG}", "twice"),
        (f"rita read {LONG} producer=", "not `producer=`"),
        (f"rita read {LONG} /catalogue", "not `producer=`"),
        (f"rita read {LONG} producer=/a%ff", "no UTF-8"),
        (f"rita read {LONG} producer=/a b", "5 fields"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_its_token_is_not(line: str, wrong: str) -> None:
    with pytest.raises(TokensInvalidError, match=wrong) as caught:
        parse_tokens(line)
    assert LONG not in str(caught.value)
    assert "short-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("", None),
        (" producer=/catalogue/enrichment", "/catalogue/enrichment"),
        (" producer=/an%20other", "/an other"),
        (" producer=/an%2520other", "/an%20other"),
        (" producer=/find?by=id", "/find?by=id"),
    ],
)
def test_a_line_may_name_the_producer_whose_events_it_takes_back(written: str, source: str | None) -> None:
    (token,) = parse_tokens(f"rita read {LONG}{written}")
    assert token.principal == ("rita", Scope.READ, source)


def test_a_semicolon_in_a_source_does_not_end_the_entry_of_a_variable() -> None:
    text = SecretStr(f"rita read {LONG} producer=/a%3Bb;otto read {LONG}2")
    rita, otto = read_access(settings(api_tokens=text)).tokens
    assert (rita.principal.producer, otto.principal.producer) == ("/a;b", None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_without_tokens_loopback_is_listened_on_and_logged(host: str) -> None:
    with capture_logs() as logged:
        access = read_access(settings(api_host=host))
    assert access.is_open
    assert any("no tokens" in line["event"] for line in logged)
    assert all(_without_secrets(None, "", line) == line for line in logged), "a hint is taken for a secret"
    assert LOCAL.may(Scope.ADMIN)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_without_tokens_nothing_else_is_listened_on(host: str) -> None:
    with pytest.raises(ApiUnguardedError, match="no loopback address") as caught:
        read_access(settings(api_host=host))
    assert caught.value.exit_code is ExitCode.SETTINGS
    assert not read_access(settings(api_host=host, api_tokens=SecretStr(f"rita read {LONG}"))).is_open


def test_a_file_of_tokens_that_others_can_read_earns_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"rita read {LONG}\n")
    for mode, warnings in ((0o600, 0), (0o640, 1), (0o604, 1)):
        file.chmod(mode)
        with capture_logs() as logged:
            read_access(settings(api_tokens_file=file))
        assert len(logged) == warnings
        assert LONG not in str(logged)


def test_a_file_without_tokens_or_none_that_can_be_read_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    with pytest.raises(TokensUnreadableError, match="cannot be read"):
        read_access(settings(api_tokens_file=file))
    file.write_text("# none yet\n")
    with pytest.raises(TokensUnreadableError, match="no token"):
        read_access(settings(api_tokens_file=file))
    file.write_bytes(b"\xff")
    with pytest.raises(LlamalogError, match="cannot be read"):
        read_access(settings(api_tokens_file=file))
