# Provenance records: the key and the JSON value of a row.

cdef object _ALWAYS = object()
"""In place of the default of a member that is never left out."""
cdef const char *_HEX = b"0123456789abcdef"


cdef inline int _json_text(_Buffer to, object value) except -1:
    """A text between quotes; where it needs an escape, written by the JSON encoder itself."""
    cdef Py_ssize_t size, place
    cdef const char *text = PyUnicode_AsUTF8AndSize(value, &size)
    cdef char *at = to.room(size + 2)
    cdef uint8_t escapes = 0
    for place in range(size):
        escapes |= (<uint8_t>text[place] < 32) | (text[place] == 34) | (text[place] == 92)
    if escapes:
        return _json_of(to, value)
    at[0] = 34
    memcpy(at + 1, text, size)
    at[size + 1] = 34
    to.size += size + 2
    return 0


cdef int _json_of(_Buffer to, object value) except -1:
    """Any value, by the JSON encoder."""
    cdef bytes text = _encode_json(value)
    return to.add(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cdef inline int _uuid_text(_Buffer to, object value) except -1:
    """The 36 characters of a UUID."""
    cdef uint8_t[16] octets
    cdef char *at
    cdef int place
    llamalog_int_bytes(value.int, octets)
    at = to.room(36)
    for place in range(16):
        if place == 4 or place == 6 or place == 8 or place == 10:
            at[0] = 45
            at += 1
        at[0] = _HEX[octets[place] >> 4]
        at[1] = _HEX[octets[place] & 15]
        at += 2
    to.size += 36
    return 0


cdef inline char *_digits(char *at, int value, int digits) noexcept:
    """Write a number with leading zeros; where the next byte goes."""
    cdef int place
    for place in range(digits - 1, -1, -1):
        at[place] = 48 + value % 10
        value //= 10
    return at + digits


cdef inline int _time_text(_Buffer to, object value) except -1:
    """A time of UTC between quotes, as RFC 3339 has it."""
    cdef char *start
    cdef char *at
    if not PyDateTime_Check(value):
        raise TypeError(f"{value!r} is no time")
    start = at = to.room(30)
    at[0] = 34
    at = _digits(at + 1, datetime_year(value), 4)
    at[0] = 45
    at = _digits(at + 1, datetime_month(value), 2)
    at[0] = 45
    at = _digits(at + 1, datetime_day(value), 2)
    at[0] = 84
    at = _digits(at + 1, datetime_hour(value), 2)
    at[0] = 58
    at = _digits(at + 1, datetime_minute(value), 2)
    at[0] = 58
    at = _digits(at + 1, datetime_second(value), 2)
    if datetime_microsecond(value):
        at[0] = 46
        at = _digits(at + 1, datetime_microsecond(value), 6)
    at[0] = 90
    at[1] = 34
    to.size += at + 2 - start
    return 0


cdef inline int _json_texts(_Buffer to, tuple values) except -1:
    cdef bint is_first = True
    to.add(b"[", 1)
    for value in values:
        if not is_first:
            to.add(b",", 1)
        is_first = False
        if isinstance(value, str):
            _json_text(to, value)
        else:
            _json_of(to, value)
    return to.add(b"]", 1)


cdef inline int _member(_Buffer to, bytes name, object value, object default) except -1:
    """A member of the object, unless it has its default; texts and ids directly, others by the encoder."""
    if value is default:
        return 0
    to.add(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
    if isinstance(value, str):
        return _json_text(to, value)
    if type(value) is tuple:
        return _json_texts(to, <tuple>value)
    if value is False:
        return to.add(b"false", 5)
    if value is True:
        return to.add(b"true", 4)
    return _json_of(to, value)


cdef inline int _member_id(_Buffer to, bytes name, object value) except -1:
    cdef Py_ssize_t size
    if value is None:
        return 0
    to.add(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
    to.add(b'"', 1)
    _uuid_text(to, value)
    return to.add(b'"', 1)


cdef object _recorded_at = None
cdef bytes _recorded_at_text = b""


def provenance(stored):
    """Key and value of the provenance record of a row, with all its values; None if it holds JSON left as text."""
    global _recorded_at, _recorded_at_text
    cdef _Buffer to = _Buffer()
    cdef tuple row = astuple(stored.content), root = astuple(stored.root)
    if type(row[19]) is _Raw or type(row[20]) is _Raw:
        return None
    cdef bytes revision = str(stored.revision).encode()
    cdef object recorded_at = stored.recorded_at
    if recorded_at is not _recorded_at:
        _recorded_at, _recorded_at_text = recorded_at, _encode_json(recorded_at)
    to.add(b'{"type":"llamalog.provenance-recorded.v1","id":"', 48)
    _uuid_text(to, row[0])
    to.add(b"/", 1)
    to.add(PyBytes_AS_STRING(revision), PyBytes_GET_SIZE(revision))
    to.add(b'","source":"/llamalog/provenance","time":', 41)
    _time_text(to, row[26])
    to.add(b',"specversion":"1.0","data":{"id":"', 35)
    _uuid_text(to, row[0])
    to.add(b'","revision":', 13)
    to.add(PyBytes_AS_STRING(revision), PyBytes_GET_SIZE(revision))
    _member(to, b',"category":', row[7], _ALWAYS)
    _member(to, b',"operation":', row[6], _ALWAYS)
    _member(to, b',"status":', row[9], _ALWAYS)
    to.add(b',"createdAt":', 13)
    _time_text(to, row[26])
    to.add(b',"recordedAt":', 14)
    to.add(PyBytes_AS_STRING(_recorded_at_text), PyBytes_GET_SIZE(_recorded_at_text))
    _member(to, b',"origin":', root[1], _ALWAYS)
    _member(to, b',"rootJobId":', root[0], _ALWAYS)
    _member(to, b',"isRootJob":', row[23], _ALWAYS)
    _member(to, b',"jobId":', row[21], None)
    _member(to, b',"parentJobId":', row[22], None)
    _member(to, b',"declaredRootJobId":', row[27], None)
    _member(to, b',"cycleMembers":', root[2], None)
    _member(to, b',"parentConflict":', root[3], False)
    _member(to, b',"entityType":', row[1], None)
    _member_id(to, b',"entityId":', row[2])
    _member_id(to, b',"albumId":', row[4])
    _member_id(to, b',"artistId":', row[3])
    _member_id(to, b',"trackId":', row[5])
    _member(to, b',"sources":', row[8], ())
    _member(to, b',"reason":', row[10], None)
    _member(to, b',"fieldsEnriched":', row[11], ())
    _member(to, b',"dataQualityBefore":', row[12], None)
    _member(to, b',"dataQualityAfter":', row[13], None)
    _member(to, b',"errorMessage":', row[14], None)
    _member(to, b',"errorCode":', row[15], None)
    _member(to, b',"retryCount":', row[16], None)
    _member(to, b',"durationMs":', row[17], None)
    _member(to, b',"apiCallCount":', row[18], None)
    _member(to, b',"metadata":', row[19], None)
    _member(to, b',"previewData":', row[20], None)
    _member(to, b',"triggeredBy":', row[24], None)
    _member(to, b',"userId":', row[25], None)
    _member(to, b',"producer":', row[28], None)
    _member(to, b',"traceparent":', row[29], None)
    _member(to, b',"isLegacy":', stored.is_legacy, False)
    _member(to, b',"erased":', stored.erased, False)
    _member(to, b',"retracted":', stored.retracted, False)
    to.add(b"}}", 2)
    return PyBytes_FromStringAndSize(to.data + 48, 36), to.written()
