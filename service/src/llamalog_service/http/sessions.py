"""Sessions of the pages: a signed cookie in place of a token, and a word that forms have to bring back."""

import hashlib
import hmac
import secrets
from typing import Any, Final, NamedTuple

from cachetools import TTLCache
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from llamalog_service.http.access import LOCAL, Access, Principal, Token

COOKIE: Final = "llamalog_session"
_LIFETIME_SECONDS: Final = 12 * 3600
_MAX_ENDED: Final = 10_000
"""Sessions that were ended and whose cookies would still be good: of more the oldest are forgotten."""
_SIGNING: Final = {"digest_method": hashlib.sha256}


class Session(NamedTuple):
    """A session of a browser.

    Attributes:
        cookie: what the browser is to keep.
        csrf: what every form that changes something has to bring back.
    """

    principal: Principal
    cookie: str
    csrf: str


class Sessions:
    """Opens sessions and knows them again; those of an earlier process are not known."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._secret = secrets.token_bytes(32)
        self._signer = URLSafeTimedSerializer(self._secret, salt="session", signer_kwargs=_SIGNING)
        self._ended: TTLCache[str, None] = TTLCache(_MAX_ENDED, ttl=_LIFETIME_SECONDS)

    def open(self, token: str = "") -> Session | None:
        """A new session of a token's holder, or of whoever is on this machine where there are no tokens.

        Returns:
            None if the token is not known.
        """
        said = {"token": "", "nonce": secrets.token_urlsafe(18)}
        if not self._access.is_open:
            known = self._access.find(token)
            if known is None:
                return None
            said["token"] = self._named(known)
        signed = self._signer.dumps(said)
        return self._session(signed.decode() if isinstance(signed, bytes) else signed, said)

    def find(self, request: HTTPConnection) -> Session | None:
        """The session that a request's cookie names, if it is one of ours and not too old."""
        cookie = request.cookies.get(COOKIE, "")
        try:
            said = self._signer.loads(cookie, max_age=_LIFETIME_SECONDS)
        except BadSignature:
            return None
        return self._session(cookie, said)

    def end(self, session: Session) -> None:
        """Know a session no more, whoever has kept its cookie."""
        self._ended[session.csrf] = None

    def is_csrf(self, session: Session, word: str) -> bool:
        """Whether a form brings back what it was given."""
        return hmac.compare_digest(session.csrf.encode(), word.encode(errors="replace"))

    def _session(self, cookie: str, said: dict[str, Any]) -> Session | None:
        principal = self._principal(said["token"])
        if principal is None:
            return None
        csrf = hmac.new(self._secret, f"csrf {said['nonce']}".encode(), hashlib.sha256).hexdigest()
        return None if csrf in self._ended else Session(principal, cookie, csrf)

    def _principal(self, named: str) -> Principal | None:
        if self._access.is_open:
            return LOCAL
        known = [token for token in self._access.tokens if hmac.compare_digest(self._named(token), named)]
        return known[0].principal if known else None

    def _named(self, token: Token) -> str:
        """What a cookie calls a token: of no use to whoever reads it."""
        return hmac.new(self._secret, f"token {token.digest}".encode(), hashlib.sha256).hexdigest()


def keep(response: Response, session: Session, *, is_https: bool) -> None:
    """Let the browser keep a session."""
    response.set_cookie(
        COOKIE,
        session.cookie,
        max_age=_LIFETIME_SECONDS,
        httponly=True,
        samesite="strict",
        secure=is_https,
    )


def forget(response: Response) -> None:
    """Let the browser forget its session."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
