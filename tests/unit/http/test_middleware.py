"""The middleware of the API: nothing that a request claims about itself passes it, or breaks it."""

from typing import Any, Final

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from llamalog_service.http.access import Access
from llamalog_service.http.context import path_and_query
from llamalog_service.http.middleware import GuardMiddleware
from llamalog_service.http.sessions import Sessions
from llamalog_service.http.tokens import parse_tokens
from llamalog_service.telemetry.metrics import NULL_METRICS

TOKEN: Final = "reading-token-0001"  # noqa: S105 - of the test's own installation
KNOWN: Final = (b"authorization", f"Bearer {TOKEN}".encode())


def connection(path: str, *headers: tuple[bytes, bytes], method: str = "GET", query: bytes = b"") -> Scope:
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [*headers],
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def status_of(scope: Scope) -> int:
    """What a guarded app answers, which lets everybody in who gets to it."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("in")(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    access = Access(parse_tokens(f"rita read {TOKEN}"))
    guard = GuardMiddleware(app, access=access, sessions=Sessions(access), metrics=NULL_METRICS)
    await guard(scope, receive, send)
    status: Any = sent[0]["status"]
    return int(status)


@pytest.mark.parametrize("host", [b"x/livez?", b"x/ui/static/#", b"x/livez?@", b"["], ids=repr)
async def test_a_name_of_the_machine_passes_for_no_open_path(host: bytes) -> None:
    assert await status_of(connection("/logs", (b"host", host))) == 401
    assert await status_of(connection("/logs", (b"host", host), KNOWN)) == 200
    assert await status_of(connection("/livez", (b"host", host))) == 200


@pytest.mark.parametrize("origin", [b"http://[", b"null", b"http://evil.example", b""], ids=repr)
async def test_an_origin_that_is_no_address_is_another_site(origin: bytes) -> None:
    request = connection("/backfills", (b"host", b"llamas"), (b"origin", origin), KNOWN, method="POST")
    assert await status_of(request) == 403


async def test_a_query_that_is_no_text_is_refused_in_words() -> None:
    assert await status_of(connection("/logs", (b"host", b"llamas"), KNOWN, query=b"q=\xff")) == 400


@pytest.mark.parametrize(
    ("query", "address"), [(b"", "/ui/logs"), (b"q=a%20b", "/ui/logs?q=a%20b"), (b"q=\xff", "/ui/logs")]
)
def test_a_page_is_requested_again_by_its_path_and_query(query: bytes, address: str) -> None:
    assert path_and_query(HTTPConnection(connection("/ui/logs", query=query))) == address
