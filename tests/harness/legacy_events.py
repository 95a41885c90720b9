"""Events that carry legacy rows."""

from uuid import UUID

from histories import event
from llamalog_schemas import LegacyRow, encode
from llamalog_schemas.legacy import LegacyRowData


def legacy_row(number: int, category: str) -> bytes:
    data = LegacyRowData(
        operation="op", category=category, status="SUCCESS", created_at="2024-01-01 00:00:00"
    )
    return encode(
        LegacyRow(
            id=str(UUID(int=number)),
            source="/llamalog/genesis",
            time=event(1).time,
            specversion="1.0",
            data=data,
        )
    )
