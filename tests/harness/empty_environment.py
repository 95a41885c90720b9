"""An environment that holds a wheel and what it declares to need, and nothing else; made without a network.

What is needed is linked from the environment of the tests, in the versions that are locked, following the
declared dependencies alone: one that is used and not declared is missing.
"""

import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


class EmptyEnvironment:
    """A Python with nothing installed, to be filled.

    Attributes:
        python: its interpreter.
        site: where its packages are.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin/python"
        (self.site,) = (folder / "lib").glob("python*/site-packages")

    def install(self, wheel: Path, *extras: str) -> set[str]:
        """Install a wheel with extras; returns the names of what it needed."""
        pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(self.python)]
        offline = ["install", "--no-deps", "--no-index", "--no-compile", str(wheel)]
        subprocess.run([*pip, *offline], check=True)
        (metadata,) = self.site.glob(f"{wheel.name.split('-')[0]}-*.dist-info")
        needed: set[tuple[str, str]] = set()
        self._need(Distribution.at(metadata), frozenset(extras), needed)
        return {name for name, _ in needed}

    def run(self, *arguments: str) -> str:
        """What a program in the environment prints, away from the checkout."""
        ran = subprocess.run(
            [self.python, "-I", *arguments],
            cwd=self.python.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr + ran.stdout
        return ran.stdout

    def _need(self, wanting: Distribution, extras: frozenset[str], needed: set[tuple[str, str]]) -> None:
        for line in wanting.requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
                continue
            name = canonicalize_name(requirement.name)
            found = distribution(name)
            assert requirement.specifier.contains(found.version), f"{line}: the lock has {found.version}"
            for extra in {"", *requirement.extras}:
                if (name, extra) not in needed:
                    needed.add((name, extra))
                    self._link(found)
                    self._need(found, frozenset({extra} - {""}), needed)

    def _link(self, found: Distribution) -> None:
        """Its modules and its metadata; scripts stay behind."""
        tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            target = self.site / top
            if not target.exists():
                target.symlink_to(Path(str(found.locate_file(top))))
