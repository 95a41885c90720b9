"""`python -m llamalog_service`: the command `llamalog`, also where no script directory is on the path."""

from llamalog_service.cli.main import app

if __name__ == "__main__":  # a process that is spawned imports it under another name
    app(prog_name="llamalog")
