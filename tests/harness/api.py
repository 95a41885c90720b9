"""The API and its pages as they are served: the real app on uvicorn, in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import uvicorn

from harness.waiting import TIMEOUT
from llamalog_service.bootstrap.api import connection_limits, open_app
from llamalog_service.http.server import make_server
from llamalog_service.http_connections import listen
from llamalog_service.settings import Settings


class RunningApi(NamedTuple):
    """An API that answers.

    Attributes:
        url: where, without a slash at its end.
        settings: of the installation behind it.
    """

    url: str
    settings: Settings


class _Serving:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listener = listen("127.0.0.1", 0, "a test")
        self._server: uvicorn.Server | None = None
        self._failure: BaseException | None = None
        self._has_started = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._has_started.wait(TIMEOUT), "the API has not started"
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(TIMEOUT)
        self._listener.close()
        assert not self._thread.is_alive(), "the API has not stopped"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._has_started.set()

    async def _serve(self) -> None:
        async with open_app(self._settings) as app:
            self._server = make_server(app, connection_limits(self._settings))
            self._has_started.set()
            await self._server.serve(sockets=[self._listener])


@asynccontextmanager
async def running_api(settings: Settings) -> AsyncIterator[RunningApi]:
    """Serve the installation of these settings on a free port; `api_tokens` and the like take effect."""
    serving = _Serving(settings)
    await asyncio.to_thread(serving.start)
    try:
        yield RunningApi(serving.url, settings)
    finally:
        await asyncio.to_thread(serving.stop)


async def got(client: httpx.AsyncClient, path: str, **params: Any) -> Any:
    """The JSON of an answer, which has to be a success."""
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()
