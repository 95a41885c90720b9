"""The PostgreSQL of the local stack: data, ports, password, ownership."""

import os
import signal
import socket
import stat
import time
from pathlib import Path

import asyncpg
import pytest

from harness.waiting import TIMEOUT, eventually
from llamalog_tools.devstack import DataDirBusyError, LocalPostgres, PostgresStandby


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def _wait_until_ended(postgres: LocalPostgres) -> None:
    deadline = time.monotonic() + TIMEOUT
    while postgres.is_running:
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_rows_and_address_survive_a_restart_and_a_crash(tmp_path: Path) -> None:
    said: list[str] = []
    postgres = LocalPostgres(tmp_path, notify=said.append)
    postgres.start()
    try:
        address = postgres.url
        await _value(address, "CREATE TABLE kept AS SELECT 'Kind of Blue' AS title")
        postgres.restart()
        assert await _value(address, "SELECT title FROM kept") == "Kind of Blue"
        postgres.restart_ended()
        assert said == []
        os.kill(postgres.pid, signal.SIGKILL)
        _wait_until_ended(postgres)
        postgres.restart_ended()
        assert said == [
            f"PostgreSQL ended with code -9 (SIGKILL) and is started again. Its log: {postgres.log}",
            "PostgreSQL serves again.",
        ]
        assert await _value(address, "SELECT title FROM kept") == "Kind of Blue"
        postgres.stop()
        again = postgres = LocalPostgres(tmp_path)
        again.start()
        assert again.url == address
        assert await _value(address, "SELECT title FROM kept") == "Kind of Blue"
    finally:
        postgres.stop()


async def test_it_is_durable_by_default_utf8_in_the_c_locale_and_wants_the_password(tmp_path: Path) -> None:
    postgres = LocalPostgres(tmp_path)
    postgres.start()
    try:
        settings = await _value(
            postgres.url,
            """SELECT concat_ws(' ', current_setting('fsync'), current_setting('synchronous_commit'),
                   current_setting('full_page_writes'), current_setting('listen_addresses'),
                   pg_encoding_to_char(encoding), datcollate)
               FROM pg_database WHERE datname = current_database()""",
        )
        assert settings == "on on on 127.0.0.1 UTF8 C"
        password = (tmp_path / "password").read_text().strip()
        assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600
        with pytest.raises(asyncpg.InvalidPasswordError):
            await _value(postgres.url.replace(password, "guessed"), "SELECT 1")
    finally:
        postgres.stop()


async def test_fast_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    postgres = LocalPostgres(tmp_path, fast=True)
    postgres.start()
    try:
        assert await _value(postgres.url, "SHOW fsync") == "off"
        assert await _value(postgres.url, "SHOW synchronous_commit") == "off"
    finally:
        postgres.stop()


def test_a_second_start_on_running_data_is_refused_and_names_the_process(tmp_path: Path) -> None:
    first = LocalPostgres(tmp_path, fast=True)
    first.start()
    try:
        with pytest.raises(DataDirBusyError, match=f"process {first.pid} ") as refused:
            LocalPostgres(tmp_path, fast=True).start()
        assert first.pid in refused.value.pids
    finally:
        first.stop()


async def test_a_server_whose_main_process_was_shot_can_be_started_again(tmp_path: Path) -> None:
    postgres = LocalPostgres(tmp_path, fast=True)
    postgres.start()
    session = await asyncpg.connect(postgres.url)
    try:
        os.kill(postgres.pid, signal.SIGKILL)
        _wait_until_ended(postgres)
        postgres.start()
        assert await _value(postgres.url, "SELECT 1") == 1
    finally:
        session.terminate()
        postgres.stop()


def test_a_pid_file_that_names_a_foreign_process_does_not_stop_the_start(tmp_path: Path) -> None:
    postgres = LocalPostgres(tmp_path, fast=True)
    postgres.start()
    postgres.kill()
    stale = tmp_path / "data" / "postmaster.pid"
    lines = stale.read_text().splitlines()
    stale.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    postgres.start()
    postgres.stop()


async def test_a_foreign_listener_on_the_remembered_port_is_not_taken_for_ours(tmp_path: Path) -> None:
    notes: list[str] = []
    postgres = LocalPostgres(tmp_path, fast=True, notify=notes.append)
    postgres.start()
    port = postgres.port("postgres")
    postgres.stop()
    with socket.create_server(("127.0.0.1", port)):
        postgres.start()
        try:
            assert postgres.port("postgres") != port
            assert await _value(postgres.url, "SELECT 1") == 1
            assert any(f"Port {port} (postgres) is taken" in line for line in notes)
        finally:
            postgres.stop()


async def test_a_standby_follows_its_primary_and_takes_its_place(tmp_path: Path) -> None:
    primary = LocalPostgres(tmp_path / "primary", fast=True)
    primary.start()
    standby = PostgresStandby(tmp_path / "standby", primary)
    try:
        await _value(primary.url, "CREATE TABLE kept AS SELECT 'Kind of Blue' AS title")
        standby.start()
        await _value(primary.url, "INSERT INTO kept VALUES ('Blue Train') RETURNING title")

        async def has_followed() -> bool:
            return await _value(standby.url, "SELECT count(*) FROM kept") == 2

        await eventually(has_followed)
        assert await _value(standby.url, "SELECT pg_is_in_recovery()")
        primary.kill()
        standby.promote()
        await _value(standby.url, "INSERT INTO kept VALUES ('Giant Steps') RETURNING title")
        standby.restart()
        assert await _value(standby.url, "SELECT count(*) FROM kept") == 3
    finally:
        standby.stop()
        primary.stop()
