"""Crowds of half-open connections before the API and the monitoring port: other clients are answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from prometheus_client import CollectorRegistry

from harness.api import running_api
from llamalog_service.http_connections import listen
from llamalog_service.settings import Settings
from llamalog_service.telemetry.liveness import Health
from llamalog_service.telemetry.probes import application, server

_HALVES = (
    b"",
    b"GET /logs HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    b"POST /backfills HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n{",
)


@asynccontextmanager
async def crowd(url: str, number: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections that send the beginning of a request."""
    address = httpx.URL(url)
    opened = [await asyncio.open_connection(address.host, address.port) for _ in range(number)]
    for count, (_, writer) in enumerate(opened):
        writer.write(_HALVES[count % len(_HALVES)])
    yield [reader for reader, _ in opened]
    for _, writer in opened:
        writer.transport.abort()


async def test_a_crowd_of_half_open_requests_locks_no_client_of_the_api_out(settings: Settings) -> None:
    few = settings.model_copy(update={"api_connections": 50})
    async with running_api(few) as api, crowd(api.url, 260), httpx.AsyncClient(timeout=30) as client:
        for path in ("/livez", "/logs", "/ui"):
            assert (await client.get(api.url + path)).status_code == 200


async def test_a_half_open_request_to_the_api_ends_at_its_deadline(settings: Settings) -> None:
    hasty = settings.model_copy(update={"api_request_seconds": 0.5})
    async with running_api(hasty) as api, crowd(api.url, len(_HALVES)) as readers:
        received = [await asyncio.wait_for(reader.read(-1), 30) for reader in readers]
    assert [received[0], received[1][:12], received[2][:12]] == [b"", b"HTTP/1.1 408", b"HTTP/1.1 408"]


async def test_a_crowd_before_the_monitoring_port_locks_no_probe_out() -> None:
    monitoring = server(application(lambda: Health((), (), None), CollectorRegistry()))
    listener = listen("127.0.0.1", 0, "a test")
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    running = asyncio.create_task(monitoring.serve(sockets=[listener]))
    async with crowd(url, 200), httpx.AsyncClient(timeout=30) as client:
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await client.get(url + path)).status_code == 200
        assert len(monitoring.server_state.connections) <= 64
    monitoring.should_exit = True
    await running
