"""`llamalog` as a program that in the end writes its largest resident memory to a file, in megabytes."""

import sys
from pathlib import Path

from llamalog_service.cli import app

if __name__ == "__main__":
    peak = Path(sys.argv.pop(1))
    try:
        app()
    finally:
        status = Path("/proc/self/status").read_text()
        peak.write_text(str(int(status.partition("VmHWM:")[2].split()[0]) // 1024))
