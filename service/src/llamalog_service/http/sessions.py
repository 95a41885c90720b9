"""Browser sessions: a signed cookie in place of a token, and a CSRF token for every form."""

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
"""Sessions that were logged out before their cookie expired; of more the oldest are forgotten."""
_SIGNING: Final = {"digest_method": hashlib.sha256}


class Session(NamedTuple):
    """A session of a browser.

    Attributes:
        cookie: the value of the session cookie.
        csrf: the token that every form with a change has to send back.
    """

    principal: Principal
    cookie: str
    csrf: str


class Sessions:
    """Opens and verifies sessions; those of an earlier process are invalid."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._secret = secrets.token_bytes(32)
        self._signer = URLSafeTimedSerializer(self._secret, salt="session", signer_kwargs=_SIGNING)
        self._ended: TTLCache[str, None] = TTLCache(_MAX_ENDED, ttl=_LIFETIME_SECONDS)

    def open(self, token: str = "") -> Session | None:
        """A new session of a token's holder, or of the local principal where there are no tokens.

        Returns:
            None if the token is not known.
        """
        claims = {"token": "", "nonce": secrets.token_urlsafe(18)}
        if not self._access.is_open:
            known = self._access.find(token)
            if known is None:
                return None
            claims["token"] = self._fingerprint(known)
        signed = self._signer.dumps(claims)
        return self._session(signed.decode() if isinstance(signed, bytes) else signed, claims)

    def find(self, request: HTTPConnection) -> Session | None:
        """The session of a request's cookie, None if its signature is invalid or it has expired."""
        cookie = request.cookies.get(COOKIE, "")
        try:
            claims = self._signer.loads(cookie, max_age=_LIFETIME_SECONDS)
        except BadSignature:
            return None
        return self._session(cookie, claims)

    def end(self, session: Session) -> None:
        """Refuse the session's cookie from now on."""
        self._ended[session.csrf] = None

    def is_csrf(self, session: Session, token: str) -> bool:
        """Whether this is the session's CSRF token."""
        return hmac.compare_digest(session.csrf.encode(), token.encode(errors="replace"))

    def _session(self, cookie: str, claims: dict[str, Any]) -> Session | None:
        principal = self._principal(claims["token"])
        if principal is None:
            return None
        csrf = hmac.new(self._secret, f"csrf {claims['nonce']}".encode(), hashlib.sha256).hexdigest()
        return None if csrf in self._ended else Session(principal, cookie, csrf)

    def _principal(self, fingerprint: str) -> Principal | None:
        if self._access.is_open:
            return LOCAL
        known = [
            token
            for token in self._access.tokens
            if hmac.compare_digest(self._fingerprint(token), fingerprint)
        ]
        return known[0].principal if known else None

    def _fingerprint(self, token: Token) -> str:
        """The name of a token within a cookie, from which neither the token nor its digest follows."""
        return hmac.new(self._secret, f"token {token.digest}".encode(), hashlib.sha256).hexdigest()


def set_session_cookie(response: Response, session: Session, *, is_https: bool) -> None:
    """Send a session's cookie with a response."""
    response.set_cookie(
        COOKIE,
        session.cookie,
        max_age=_LIFETIME_SECONDS,
        httponly=True,
        samesite="strict",
        secure=is_https,
    )


def delete_session_cookie(response: Response) -> None:
    """Delete the session's cookie with a response."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
