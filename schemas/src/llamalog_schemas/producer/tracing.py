"""The W3C `traceparent` of the current OpenTelemetry span, in services that use OpenTelemetry."""

import sys
from typing import Final

_API: Final = "opentelemetry.trace"


def current_traceparent() -> str | None:
    """The current span as W3C Trace Context writes it; None where there is none, or no OpenTelemetry.

    A service that has a span has imported OpenTelemetry's API, so nothing is imported here. A fault of a
    tracing library costs the trace, never the event.
    """
    api = sys.modules.get(_API)
    if api is None:
        return None
    try:
        span = api.get_current_span().get_span_context()
        if not span.is_valid:
            return None
        return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags & 0xFF:02x}"
    except Exception:  # another library's, for example while it is being imported
        return None
