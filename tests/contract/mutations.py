"""Messages that went wrong, as hypothesis draws them: golden payloads mutated or reshaped."""

import json

from hypothesis import strategies as st

from contract.golden_payloads import load_all

GOLDEN = load_all()

NASTY = [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b'"',
    b"[" * 20_000,
    b'{"a":' * 5_000,
    b"9" * 200_000,
    b"-9223372036854775809",
    b"1e999",
    b"NaN",
    b"null",
    b"0001-01-01T00:00:00.0000000+23:59",
    b"9999-12-31T23:59:59.9999999-23:59",
    b" - at `$.type`",
]
header_names = st.sampled_from(
    ["content-type", "ce_id", "ce_type", "ce_time", "ce_source", "ce_specversion", "ce_subject", "trace"]
)
header_values = (
    st.none() | st.binary(max_size=40) | st.sampled_from([b"application/cloudevents+json", *NASTY])
)
headers_ = st.lists(st.tuples(header_names, header_values), max_size=4)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """A golden payload with up to three cuts, swaps and insertions, and headers of any kind."""
    golden = draw(st.sampled_from(GOLDEN))
    value = golden.value
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(value)))
        end = draw(st.integers(start, min(len(value), start + 20)))
        value = value[:start] + draw(st.sampled_from(NASTY) | st.binary(max_size=8)) + value[end:]
    kept = [header for header in golden.headers if draw(st.integers(0, 9))]
    return value, [*kept, *draw(headers_)]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes().map(str)
    | st.uuids().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def reshaped(draw: st.DrawFn) -> bytes:
    """A golden payload with other JSON in one or two of its places."""
    message = json.loads(json.dumps(draw(st.sampled_from(GOLDEN)).structured))
    for _ in range(draw(st.integers(1, 2))):
        place = (
            draw(st.sampled_from([message, message["data"]]))
            if isinstance(message.get("data"), dict)
            else message
        )
        place[draw(st.sampled_from([*place, "unknown"]))] = draw(json_values)
    return json.dumps(message, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
