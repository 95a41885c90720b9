"""The kit installs, works and type-checks where there is nothing of the service."""

import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from harness.document_examples import examples_in

CHECKOUT = Path(__file__).resolve().parents[2]
DEPENDENCIES = sysconfig.get_paths()["purelib"]
"""The libraries that the extras name; what is installed from this checkout is not among them."""

_WITHOUT_CLIENTS = """
import sys
import llamalog_schemas, llamalog_schemas.jobs, llamalog_schemas.producer
print(sorted({"aiokafka", "faststream", "sqlalchemy", "pydantic"} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("kit")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    offline = ["--no-deps", "--no-index"]
    build = ["wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(CHECKOUT / "schemas")]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env/bin/python"
    subprocess.run([*pip, "--python", str(python), "install", *offline, str(wheel)], check=True)
    (site,) = (folder / "env/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(DEPENDENCIES + "\n")
    return python


def run(python: Path, *arguments: str) -> str:
    """What a program in the environment prints, away from the checkout."""
    ran = subprocess.run([python, *arguments], cwd=python.parent, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return ran.stdout


def test_it_works_without_the_service(python: Path) -> None:
    assert (
        run(python, "-c", "import importlib.util as u; print(u.find_spec('llamalog_service.settings'))")
        == "None\n"
    )
    (example,) = examples_in(CHECKOUT / "docs/kit.md")
    assert run(python, "-c", example.program) == example.prints
    for module in ("producer.middleware", "producer.outbox", "consumer", "consumer.subscriber"):
        run(python, "-c", f"import llamalog_schemas.{module}")


def test_no_client_is_imported_that_nobody_asked_for(python: Path) -> None:
    assert run(python, "-c", _WITHOUT_CLIENTS) == "[]\n"


def test_programs_against_it_type_check(python: Path, tmp_path: Path) -> None:
    for document in ("kit", "producers", "consumers"):
        for example in examples_in(CHECKOUT / f"docs/{document}.md"):
            (tmp_path / f"{document}_{example.number}.py").write_text(example.program)
    (tmp_path / "misspelt.py").write_text(
        "from llamalog_schemas.producer import InMemory, LlamaLogger\n"
        "async def main() -> None:\n"
        "    log = LlamaLogger(InMemory(), source='/x')\n"
        "    await log.created('ALBUM', 'id', operation='o', statsu='SUCCESS')\n"
        "    await log.created('ALBUM', 'id', operation='o', status='GOOD')\n"
    )
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python)),
            *("--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache"), str(tmp_path)),
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
