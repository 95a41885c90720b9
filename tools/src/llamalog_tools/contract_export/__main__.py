"""``make contract``: write the JSON Schemas and the AsyncAPI document."""

from llamalog_tools.contract_export.files import SCHEMAS, contract_files, write_contract

write_contract()
print(f"{len(contract_files())} files written under {SCHEMAS.name}/")
