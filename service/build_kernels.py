"""Compiles the kernels: `python service/build_kernels.py build/compiled`, and the wheel's build hook.

Without Cython or a C compiler there are none, and the service does the same in Python.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent / "kernels" / "_llamalog_kernels.pyx"

WANTED = os.environ.get("LLAMALOG_KERNELS", "if-possible")
"""`required`: a build without them fails; `no`: there are none."""


def build_kernels(folder: Path) -> Path | None:
    """Compile the kernels into a folder; None, with a line on standard error, where that is impossible.

    Raises:
        SystemExit: they are required.
    """
    if WANTED == "no":
        return None
    try:
        return _compile(folder)
    except Exception as error:  # of many kinds: no Cython, no compiler, no headers
        fault = f"the kernels were not compiled ({type(error).__name__}: {error})"
        if WANTED == "required":
            raise SystemExit(f"{fault}; LLAMALOG_KERNELS=required") from error
        print(f"{fault}: pure Python", file=sys.stderr)
        return None


def _compile(folder: Path) -> Path:
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    with tempfile.TemporaryDirectory() as scratch:
        sources = shutil.copytree(SOURCE.parent, Path(scratch, "sources"))
        kernels = Extension(SOURCE.stem, [str(sources / SOURCE.name)], extra_compile_args=["-O3", "-g0"])
        distribution = Distribution({"ext_modules": cythonize([kernels], quiet=True)})
        command = distribution.get_command_obj("build_ext")
        command.build_lib = command.build_temp = scratch
        command.ensure_finalized()
        command.run()
        (built,) = map(Path, command.get_outputs())
        folder.mkdir(parents=True, exist_ok=True)
        aside = shutil.copy(built, folder / f"{built.name}.new")
        return Path(aside).replace(folder / built.name)  # a process may have mapped the one before


if __name__ == "__main__":
    build_kernels(Path(sys.argv[1]))
