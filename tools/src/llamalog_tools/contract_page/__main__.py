"""``make docs``: write the page to the file that is named."""

import sys
from pathlib import Path

from llamalog_tools.contract_export.files import SCHEMAS
from llamalog_tools.contract_page.page import page

target = Path(sys.argv[1])
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(page(SCHEMAS), encoding="utf-8")
print(f"{target}: the contract, a page that needs nothing else")
