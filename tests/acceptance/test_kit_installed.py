"""Both packages build; the kit installs, works and type-checks where there is nothing of the service."""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from harness.document_examples import examples_in
from harness.empty_environment import EmptyEnvironment

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = {"schemas": "llamalog_schemas", "service": "llamalog_service"}

_CLIENTS = {"aiokafka", "faststream", "pydantic", "sqlalchemy"}
_WITHOUT_CLIENTS = f"""
import sys
import llamalog_schemas, llamalog_schemas.jobs, llamalog_schemas.producer
print(sorted({_CLIENTS} & sys.modules.keys()))
"""
_NOTHING_OF_THE_SERVICE = "import importlib.util as u; print(u.find_spec('llamalog_service'))"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m build` makes of both: a source distribution, and a wheel from that."""
    folder = tmp_path_factory.mktemp("built")
    for package in PACKAGES:
        build = ["-m", "build", "--no-isolation", "--outdir", str(folder), str(CHECKOUT / package)]
        ran = subprocess.run(
            [sys.executable, *build],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"LLAMALOG_KERNELS": "no"},
        )
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def kit(built: Path, tmp_path_factory: pytest.TempPathFactory) -> EmptyEnvironment:
    """The kit with its extras."""
    environment = EmptyEnvironment(tmp_path_factory.mktemp("kit") / "env")
    environment.install(wheel_of(built, "llamalog_schemas"), "kafka", "outbox")
    return environment


def wheel_of(built: Path, name: str) -> Path:
    (wheel,) = built.glob(f"{name}-*.whl")
    return wheel


@pytest.mark.parametrize(("package", "name"), PACKAGES.items())
def test_a_package_built_from_its_sources_carries_every_file(package: str, name: str, built: Path) -> None:
    source = CHECKOUT / package / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    files = {file for file in files if "__pycache__" not in file and ".egg-info" not in file}
    assert f"{name}/py.typed" in files
    assert files <= set(zipfile.ZipFile(wheel_of(built, name)).namelist())
    (sdist,) = built.glob(f"{name}-*.tar.gz")
    top = sdist.name.removesuffix(".tar.gz")
    with tarfile.open(sdist) as archive:
        assert {f"{top}/src/{file}" for file in files} <= set(archive.getnames())


def test_the_service_carries_its_migrations(built: Path) -> None:
    steps = {path.name for path in (CHECKOUT / "migrations/versions").glob("*.py")}
    assert steps
    carried = zipfile.ZipFile(wheel_of(built, "llamalog_service")).namelist()
    folder = "llamalog_service/_bundled/migrations"
    assert {f"{folder}/versions/{step}" for step in steps} | {f"{folder}/env.py"} <= set(carried)


def test_the_messages_alone_need_one_library(built: Path, tmp_path: Path) -> None:
    environment = EmptyEnvironment(tmp_path / "env")
    assert environment.install(wheel_of(built, "llamalog_schemas")) == {"msgspec", "typing-extensions"}
    assert environment.run("-c", _WITHOUT_CLIENTS) == "[]\n"
    (example,) = examples_in(CHECKOUT / "docs/kit.md")
    assert environment.run("-c", example.program) == example.prints


def test_the_kit_needs_nothing_of_the_service(kit: EmptyEnvironment) -> None:
    assert kit.run("-c", _NOTHING_OF_THE_SERVICE) == "None\n"
    for module in ("producer.middleware", "producer.outbox", "consumer", "consumer.subscriber"):
        kit.run("-c", f"import llamalog_schemas.{module}")
    assert kit.run("-c", _WITHOUT_CLIENTS) == "[]\n"
    assert not list(kit.site.glob("asyncpg")) + list(kit.site.glob("fastapi"))


def test_programs_against_it_type_check(kit: EmptyEnvironment, tmp_path: Path) -> None:
    for document in ("kit", "producers", "consumers"):
        for example in examples_in(CHECKOUT / f"docs/{document}.md"):
            (tmp_path / f"{document}_{example.number}.py").write_text(example.program)
    (tmp_path / "misspelt.py").write_text(
        "from llamalog_schemas.producer import InMemoryTransport, LlamaLogger\n"
        "async def main() -> None:\n"
        "    log = LlamaLogger(InMemoryTransport(), source='/x')\n"
        "    await log.created('ALBUM', 'id', operation='o', statsu='SUCCESS')\n"
        "    await log.created('ALBUM', 'id', operation='o', status='GOOD')\n"
    )
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--python-executable", str(kit.python)),
            *("--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache"), str(tmp_path)),
            *map(str, sorted((CHECKOUT / "examples").iterdir())),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 2, checked.stdout + checked.stderr
    assert 'misspelt.py:4: error: Unexpected keyword argument "statsu"' in checked.stdout
    assert "misspelt.py:5: error: " in checked.stdout


def test_its_extras_are_what_the_service_runs_with() -> None:
    kit = tomllib.loads((CHECKOUT / "schemas/pyproject.toml").read_text())["project"]
    service = tomllib.loads((CHECKOUT / "service/pyproject.toml").read_text())["project"]
    assert set(kit["optional-dependencies"]["kafka"]) <= set(service["dependencies"])
    assert not [
        name for extra in kit["optional-dependencies"].values() for name in extra if "llamalog" in name
    ]
