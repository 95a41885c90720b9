"""`HEAD`: what `GET` would answer, without its body; routes and pages know of `GET` alone."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Hands a `HEAD` on as a `GET`, and ends the answer behind its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                # At once: a stream would not end, but takes this for the client's leaving.
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET"}, receive, send_head)
