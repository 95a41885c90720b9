"""The version of a release: one file, `VERSION`, and the places that repeat it.

python -m llamalog_tools.release set 0.2.0     writes it everywhere
python -m llamalog_tools.release check         exits with 1 where a place has another version
python -m llamalog_tools.release notes         prints the section of CHANGELOG.md for it
"""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

CHECKOUT: Final = Path(__file__).resolve().parents[3]

_VERSION: Final = r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?"
_PLACES: Final = {
    "VERSION": rf"\A({_VERSION})$",
    "schemas/pyproject.toml": rf'^version = "({_VERSION})"$',
    "service/pyproject.toml": rf'^version = "({_VERSION})"$|"llamalog-schemas==({_VERSION})"',
    "tools/pyproject.toml": rf'^version = "({_VERSION})"$|"llamalog-(?:schemas|service)==({_VERSION})"',
    "Dockerfile": rf'image\.version="({_VERSION})"',
    "docker-compose.yml": rf"image: llamalog:({_VERSION})$",
}

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def version() -> str:
    """The version of this checkout."""
    return (CHECKOUT / "VERSION").read_text().strip()


def places() -> dict[str, list[str]]:
    """The versions that each file of the checkout states."""
    return {
        name: [
            next(filter(None, match.groups()))
            for match in re.finditer(pattern, (CHECKOUT / name).read_text(), re.MULTILINE)
        ]
        for name, pattern in _PLACES.items()
    }


def notes_of(wanted: str) -> str:
    """The section of CHANGELOG.md for a version, without its heading; empty if there is none."""
    changelog = (CHECKOUT / "CHANGELOG.md").read_text()
    section = re.search(
        rf"^## {re.escape(wanted)}\b[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE
    )
    return "" if section is None else section[1].strip()


@app.command("set")
def set_version(new: Annotated[str, typer.Argument(help="MAJOR.MINOR.PATCH")]) -> None:
    """Write a version into every place that states one."""
    if not re.fullmatch(_VERSION, new):
        raise typer.BadParameter(f"{new!r} is no version: MAJOR.MINOR.PATCH, for example 0.2.0")
    for name, pattern in _PLACES.items():
        file = CHECKOUT / name

        def replaced(match: re.Match[str]) -> str:
            return match[0].replace(next(filter(None, match.groups())), new)

        file.write_text(re.sub(pattern, replaced, file.read_text(), flags=re.MULTILINE))
    print(f"The version is {new} in {', '.join(_PLACES)}. CHANGELOG.md needs a section `## {new}`.")


@app.command()
def check() -> None:
    """Exit with 1 where a file states another version than `VERSION`."""
    wanted = version()
    wrong = {name: found for name, found in places().items() if not found or set(found) != {wanted}}
    for name, found in wrong.items():
        print(f"{name}: {', '.join(found) or 'no version'}; VERSION has {wanted}")
    raise typer.Exit(int(bool(wrong)))


@app.command()
def notes(wanted: Annotated[str | None, typer.Argument(help="Default: that of VERSION.")] = None) -> None:
    """Print the release notes of a version."""
    text = notes_of(wanted or version())
    if not text:
        raise typer.BadParameter(f"CHANGELOG.md has no section for {wanted or version()}")
    print(text)


if __name__ == "__main__":
    app()
