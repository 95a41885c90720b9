"""`python -m llamalog_tools.flow_files`: the files that each flow needs, beside the most that it should."""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from llamalog_tools.devstack import LocalStack, StackOptions
from llamalog_tools.flow_files.flows import Flow, FlowError, Flows


def main(
    only: Annotated[
        list[str], typer.Option(metavar="FLOW", help="ingest, timeline or rebuild; may be repeated.")
    ] = [],  # noqa: B006 - typer copies it
    functions: Annotated[bool, typer.Option("--functions", help="Print the functions too.")] = False,
) -> None:
    """Execute the flows on servers of their own, print the files whose code ran; 1 if there are too many."""
    options = StackOptions.from_environment()
    own = StackOptions(require_apache=options.require_apache, cache=options.cache)
    try:
        with TemporaryDirectory() as folder, LocalStack(Path(folder) / "data", own, fast=True) as stack:
            flows = asyncio.run(_execute(Flows(stack, Path(folder)), only))
    except FlowError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    for flow in flows:
        _print(flow, functions=functions)
    for flow in flows:
        print(f"{len(flow.functions):3} files, at most {flow.bar}: {flow.name}")
    raise typer.Exit(int(any(len(flow.functions) > flow.bar for flow in flows)))


async def _execute(flows: Flows, only: list[str]) -> list[Flow]:
    """The requested flows, in their order; each needs what those before it have written."""
    await flows.prepare()
    steps = {"ingest": flows.ingest, "timeline": flows.timeline, "rebuild": flows.rebuild}
    executed = {name: await step() for name, step in steps.items()}
    return [flow for name, flow in executed.items() if not only or name in only]


def _print(flow: Flow, *, functions: bool) -> None:
    print(f"{flow.name}:")
    for file, names in flow.functions.items():
        print(f"    {file}")
        if functions:
            print(*(f"        {name}" for name in names), sep="\n")
    print()


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
