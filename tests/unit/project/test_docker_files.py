"""No engine is needed to see that the Dockerfile fits the checkout and that nothing in it runs as root."""

import json
import os
import re
import shlex
import shutil
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


def test_the_base_images_are_named_with_one_release() -> None:
    """The build has a compiler, the image has none; their Python and their C library are the same."""
    named = dict(rest.split("=") for keyword, rest in instructions() if keyword == "ARG")
    assert set(named) == {"PYTHON_IMAGE", "BUILD_IMAGE"}
    assert re.fullmatch(r"python:3\.1[1-9]-slim-\w+", named["PYTHON_IMAGE"])
    assert named["BUILD_IMAGE"] == named["PYTHON_IMAGE"].replace("-slim", "")
    bases = [rest.split()[0] for keyword, rest in instructions() if keyword == "FROM"]
    assert bases == ["${BUILD_IMAGE}", "${PYTHON_IMAGE}"]


def test_the_image_is_not_built_without_its_compiled_kernels() -> None:
    (built,) = [rest for keyword, rest in instructions() if keyword == "RUN" and "pip wheel" in rest]
    assert built.startswith("LLAMALOG_KERNELS=required ")


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
    has_kernels = name == "service" and shutil.which("cc") is not None
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir"]
    subprocess.run(
        [sys.executable, "-m", "pip", *build, str(tmp_path), str(CHECKOUT / name)],
        check=True,
        timeout=200,
        env=os.environ | {"LLAMALOG_KERNELS": "required" if has_kernels else "no"},
    )
    (wheel,) = tmp_path.glob("*.whl")
    source = CHECKOUT / name / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    wanted = {file for file in files if "__pycache__" not in file and ".egg-info" not in file}
    carried = set(zipfile.ZipFile(wheel).namelist())
    assert wanted <= carried
    assert wheel.name.endswith("-py3-none-any.whl") is not has_kernels
    assert [file.split(".")[0] for file in carried if file.endswith(".so")] == has_kernels * [
        "_llamalog_kernels"
    ]


@pytest.mark.slow
def test_without_a_compiler_nothing_is_compiled_and_nothing_fails(tmp_path: Path) -> None:
    command = [sys.executable, str(CHECKOUT / "service/build_kernels.py"), str(tmp_path / "built")]
    without = os.environ | {"CC": str(tmp_path / "no-compiler"), "LLAMALOG_KERNELS": "if-possible"}
    built = subprocess.run(command, env=without, check=True, capture_output=True, text=True)
    assert "pure Python" in built.stderr
    assert not (tmp_path / "built").exists()
    required = subprocess.run(command, env=without | {"LLAMALOG_KERNELS": "required"}, check=False)
    assert required.returncode == 1
