"""No engine is needed to see that the Dockerfile fits the checkout and that nothing in it runs as root."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """The Dockerfile's instructions: (keyword, the rest on one line), comments left out."""
    text = (CHECKOUT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(keyword, rest) for keyword, rest in (line.split(maxsplit=1) for line in joined.splitlines())]


def final_stage() -> list[Instruction]:
    found = instructions()
    start = max(at for at, (keyword, _) in enumerate(found) if keyword == "FROM")
    return found[start:]


def value_of(keyword: str) -> str:
    """The last instruction of the final stage with this keyword."""
    return [rest for name, rest in final_stage() if name == keyword][-1]


def copied_from_the_checkout() -> list[str]:
    copies = [shlex.split(rest) for keyword, rest in instructions() if keyword == "COPY"]
    return [source for words in copies if not words[0].startswith("--from=") for source in words[:-1]]


def service_project() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((CHECKOUT / "service/pyproject.toml").read_text())["project"]
    return project


def test_the_image_runs_as_a_numbered_user_that_is_not_root() -> None:
    user, group = value_of("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_process_is_started_without_a_shell_and_stopped_by_sigterm() -> None:
    assert json.loads(value_of("ENTRYPOINT")) == ["llamalog"]
    assert isinstance(json.loads(value_of("CMD")), list)
    assert value_of("STOPSIGNAL") == "SIGTERM"
    assert "llamalog" in service_project()["scripts"]  # type: ignore[operator]


def test_nothing_is_fetched_but_locked_packages() -> None:
    found = instructions()
    assert "ADD" not in {keyword for keyword, _ in found}
    commands = [
        command for keyword, rest in found if keyword == "RUN" for command in re.split(r"&&|\|\||;", rest)
    ]
    assert not [command for command in commands if re.search(r"\b(curl|wget|git|apt-get)\b", command)]
    installs = [command for command in commands if "pip" in command and " install " in command]
    assert len(installs) == 3
    assert all("--require-hashes" in command or "--no-index" in command for command in installs)


def test_the_base_image_is_named_with_its_release() -> None:
    bases = [rest.partition("=")[2] for keyword, rest in instructions() if keyword == "ARG"]
    assert bases
    assert all(re.fullmatch(r"python:3\.1[1-9]-slim-\w+", base) for base in bases)
    assert {rest.split()[0] for keyword, rest in instructions() if keyword == "FROM"} == {"${PYTHON_IMAGE}"}


@pytest.mark.parametrize("source", copied_from_the_checkout())
def test_what_is_copied_is_in_the_checkout_and_let_through(source: str) -> None:
    assert (CHECKOUT / source).exists()
    let_through = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert f"!{source.partition('/')[0]}" in let_through


def test_all_else_stays_out_of_the_build() -> None:
    rules = [
        line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert allowed == {source.partition("/")[0] for source in copied_from_the_checkout()}


def test_the_image_bears_the_version_of_the_service() -> None:
    version = service_project()["version"]
    assert f'org.opencontainers.image.version="{version}"' in value_of("LABEL")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["schemas", "service"])
def test_a_wheel_carries_every_file_of_its_package(name: str, tmp_path: Path) -> None:
    build = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(tmp_path),
    ]
    subprocess.run([sys.executable, "-m", "pip", *build, str(CHECKOUT / name)], check=True, timeout=200)
    (wheel,) = tmp_path.glob("*.whl")
    source = CHECKOUT / name / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    wanted = {file for file in files if "__pycache__" not in file and ".egg-info" not in file}
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())
