"""What `make test` does about a browser on machines of several kinds."""

import shutil
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).resolve().parents[3] / ".ci" / "install-browser"


class Machine:
    """A folder of programs, and nothing else on PATH."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.has("chmod", "mktemp", "rm", "tail")

    def has(self, *names: str) -> None:
        for name in names:
            (self._folder / name).symlink_to(str(shutil.which(name)))

    def knows(self, name: str, script: str) -> None:
        file = self._folder / name
        file.write_text(f"#!{shutil.which('bash')}\n{script}\n")
        file.chmod(0o755)

    def install(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(shutil.which("bash")), _SCRIPT],
            env={"PATH": str(self._folder)} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_chromium_that_is_there_is_taken_without_a_word(machine: Machine) -> None:
    machine.knows("chromium", "exit 9")
    ended = machine.install(LLAMALOG_REQUIRE_BROWSER="1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_without_root_the_message_is_that_the_tests_will_be_skipped(machine: Machine) -> None:
    machine.knows("apt-get", "exit 9")
    machine.knows("id", "echo 1000")
    ended = machine.install()
    assert ended.returncode == 0
    assert "only root on a Debian machine can install it" in ended.stdout
    assert "the browser tests will be skipped" in ended.stdout


def test_on_debian_root_installs_it(machine: Machine) -> None:
    machine.knows("id", "echo 0")
    folder = '"${PATH}"'
    machine.knows(
        "apt-get",
        f'[[ "$*" == *" chromium "* ]] || exit 0; : > {folder}/chromium; chmod +x {folder}/chromium',
    )
    ended = machine.install(LLAMALOG_REQUIRE_BROWSER="1")
    assert (ended.returncode, ended.stdout) == (0, "browser: installing chromium\n"), ended.stderr


@pytest.mark.parametrize(("required", "code"), [("", 0), ("1", 1)])
def test_where_none_can_be_had_that_is_an_error_only_where_one_is_required(
    machine: Machine, required: str, code: int
) -> None:
    machine.knows("id", "echo 0")
    machine.knows("apt-get", "echo no such mirror; exit 100")
    ended = machine.install(LLAMALOG_REQUIRE_BROWSER=required)
    assert ended.returncode == code
    assert "no such mirror" in ended.stderr
    assert "apt-get could not install chromium" in ended.stdout + ended.stderr
    assert ("the browser tests will be skipped" in ended.stdout) == (code == 0)
