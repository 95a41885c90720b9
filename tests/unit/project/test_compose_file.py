"""docker-compose.yml, checked as far as it can be without an engine."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from llamalog_service.cli import app
from llamalog_service.settings import Settings, setting_name

CHECKOUT = Path(__file__).resolve().parents[3]
COMPOSE_FILE = CHECKOUT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KNOWN_SETTINGS = {setting_name(field) for field in Settings.model_fields}

every_service = pytest.mark.parametrize("name", SERVICES)


def ours() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in SERVICES.items() if service["image"].startswith("llamalog:")}


def has_compose_plugin() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


def test_the_file_follows_the_compose_specification() -> None:
    check = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE_FILE),
    ]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not has_compose_plugin(), reason="docker compose is not on this machine")
def test_docker_compose_reads_the_file() -> None:
    config = ["docker", "compose", "--file", str(COMPOSE_FILE), "config", "--quiet"]
    done = subprocess.run(config, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@every_service
def test_a_service_waits_only_for_what_can_be_waited_for(name: str) -> None:
    for target, gate in SERVICES[name].get("depends_on", {}).items():
        if gate["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[target]
        else:
            assert gate["condition"] == "service_completed_successfully"
            assert SERVICES[target]["restart"] == "no", "what is started again never completes"


@pytest.mark.parametrize("name", ["provenance-consumer", "migration-consumer", "api"])
def test_a_consumer_starts_on_checked_topics_and_a_migrated_database(name: str) -> None:
    assert set(SERVICES[name]["depends_on"]) == {"kafka", "postgres", "topics-check", "migrate"}
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("provenance-consumer", "LLAMALOG_CONSUMER_PORT"),
        ("migration-consumer", "LLAMALOG_MIGRATION_CONSUMER_PORT"),
        ("api", "LLAMALOG_API_PORT"),
    ],
)
def test_the_health_of_a_consumer_is_requested_where_it_answers(name: str, port: str) -> None:
    service = SERVICES[name]
    listens = service["environment"][port]
    assert f":{listens}/livez" in service["healthcheck"]["test"][-1]
    assert [published.rpartition(":")[2] for published in service["ports"]] == [str(listens)]


@every_service
def test_a_service_can_neither_write_to_its_root_nor_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "devices", "pid", "ipc", "network_mode"} & service.keys()
    assert not str(service.get("user", "")).startswith(("0", "root"))


@every_service
def test_a_service_has_limits(name: str) -> None:
    assert {"cpus", "memory", "pids"} <= SERVICES[name]["deploy"]["resources"]["limits"].keys()


@every_service
def test_only_loopback_ports_are_published(name: str) -> None:
    assert all(re.match(r"127\.0\.0\.1:", port) for port in SERVICES[name].get("ports", []))


@every_service
def test_writable_paths_are_named_volumes_or_bounded_memory(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]
    for mount in SERVICES[name]["tmpfs"]:
        options = mount.partition(":")[2].split(",")
        assert "mode=1777" in options, (
            "without it the mount has the mode of the folder below, and root owns it"
        )
        assert any(option.startswith("size=") for option in options)


@every_service
def test_a_password_is_a_secret_file_and_never_a_value(name: str) -> None:
    environment = SERVICES[name]["environment"]
    named = {key: value for key, value in environment.items() if "PASSWORD" in key}
    mounted = {f"/run/secrets/{secret}" for secret in SERVICES[name].get("secrets", [])}
    assert all(key.endswith("_FILE") and value in mounted for key, value in named.items())
    assert not [value for value in environment.values() if urlsplit(str(value)).password]


def test_a_secret_is_a_file_that_git_ignores() -> None:
    assert {name: list(secret) for name, secret in COMPOSE["secrets"].items()} == {
        "database_password": ["file"],
        "api_tokens": ["file"],
    }
    for secret in COMPOSE["secrets"].values():
        default = re.fullmatch(r"\$\{\w+:-\./(.+)\}", secret["file"])
        assert default is not None
        assert f"{default[1].split('/')[0]}/" in (CHECKOUT / ".gitignore").read_text().splitlines()


def test_the_api_has_tokens_since_its_container_listens_to_others() -> None:
    environment = SERVICES["api"]["environment"]
    assert environment["LLAMALOG_API_TOKENS_FILE"] == "/run/secrets/api_tokens"
    assert "api_tokens" in SERVICES["api"]["secrets"]
    assert [name for name, service in ours().items() if "api_tokens" in service["secrets"]] == ["api"]


@every_service
def test_an_image_is_pinned_to_a_version(name: str) -> None:
    assert re.search(r":\d+(\.\d+)+$", SERVICES[name]["image"])


def test_our_image_is_built_once_and_bears_the_version_of_the_service() -> None:
    version = tomllib.loads((CHECKOUT / "service/pyproject.toml").read_text())["project"]["version"]
    assert {service["image"] for service in ours().values()} == {f"llamalog:{version}"}
    builders = [name for name, service in ours().items() if "build" in service]
    assert len(builders) == 1
    assert {service["pull_policy"] for service in ours().values()} == {"build", "never"}


def test_our_services_are_given_only_settings_that_exist() -> None:
    given = {key for service in ours().values() for key in service["environment"]}
    assert given
    assert given <= KNOWN_SETTINGS


def test_our_services_run_only_commands_that_exist() -> None:
    ran = [service["command"] for service in ours().values()]
    assert ran
    for words in ran:
        usage = CliRunner().invoke(app, [*words, "--help"])
        assert usage.exit_code == 0, f"llamalog {' '.join(words)}: {usage.output}"


def test_clients_are_sent_on_to_an_address_they_can_reach() -> None:
    kafka = SERVICES["kafka"]["environment"]
    advertised = dict(item.split("://") for item in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert {service["environment"]["LLAMALOG_KAFKA"] for service in ours().values()} == {
        advertised["INTERNAL"]
    }
    (published,) = SERVICES["kafka"]["ports"]
    assert published.startswith(advertised["HOST"])
