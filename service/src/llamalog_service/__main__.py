"""`python -m llamalog_service`: the command `llamalog`, also where no script directory is on the path."""

from llamalog_service.cli.main import app

app(prog_name="llamalog")
