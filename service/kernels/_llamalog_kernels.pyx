# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The bytes of rows and of provenance records, written directly into a buffer.

Each function has a counterpart in Python, which defines what it returns: tests hold both against each other.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.datetime cimport (
    PyDateTime_Check,
    datetime_day,
    datetime_hour,
    datetime_microsecond,
    datetime_minute,
    datetime_month,
    datetime_new,
    datetime_second,
    datetime_year,
    import_datetime,
)
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcpy

import datetime
import uuid

import msgspec
from msgspec.structs import astuple

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030D0000
    #define llamalog_int_bytes(number, to) (PyLong_AsNativeBytes((number), (to), 16, \
        Py_ASNATIVEBYTES_BIG_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER) < 0 ? -1 : 0)
    #define llamalog_int_from(from) PyLong_FromUnsignedNativeBytes((from), 16, Py_ASNATIVEBYTES_BIG_ENDIAN)
    #else
    #define llamalog_int_from(from) _PyLong_FromByteArray((from), 16, 0, 0)
    #define llamalog_int_bytes(number, to) _PyLong_AsByteArray((PyLongObject *)(number), (to), 16, 0, 0)
    #endif
    """
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    int PyObject_GenericSetAttr(object held, object name, object value) except -1
    int llamalog_int_bytes(object number, uint8_t *to) except -1
    object llamalog_int_from(const uint8_t *octets)

import_datetime()

cdef object _encode_json = msgspec.json.Encoder().encode
cdef object _Raw = msgspec.Raw


cdef class _Buffer:
    """Bytes that grow at their end."""

    cdef char *data
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef inline char *room(self, Py_ssize_t needed) except NULL:
        """Where the next bytes are to be written, so many at most."""
        cdef Py_ssize_t capacity
        cdef char *grown
        if self.size + needed > self.capacity:
            capacity = max(2 * self.capacity, self.size + needed + 4096)
            grown = <char *>PyMem_Realloc(self.data, capacity)
            if grown is NULL:
                raise MemoryError
            self.data, self.capacity = grown, capacity
        return self.data + self.size

    cdef inline int add(self, const char *source, Py_ssize_t size) except -1:
        memcpy(self.room(size), source, size)
        self.size += size
        return 0

    cdef inline bytes written(self):
        return PyBytes_FromStringAndSize(self.data, self.size)


# --- PostgreSQL's binary COPY -------------------------------------------------------------------------------

cdef inline void _write32(char *at, uint32_t value) noexcept:
    cdef uint8_t *to = <uint8_t *>at
    to[0], to[1], to[2], to[3] = value >> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255


cdef inline void _write64(char *at, uint64_t value) noexcept:
    _write32(at, <uint32_t>(value >> 32))
    _write32(at + 4, <uint32_t>(value & 0xFFFFFFFF))


cdef inline int _null(_Buffer to) except -1:
    _write32(to.room(4), 0xFFFFFFFF)
    to.size += 4
    return 0


cdef inline int _text(_Buffer to, object value) except -1:
    cdef Py_ssize_t size
    cdef const char *text
    cdef char *at
    if value is None:
        return _null(to)
    text = PyUnicode_AsUTF8AndSize(value, &size)
    at = to.room(4 + size)
    _write32(at, <uint32_t>size)
    memcpy(at + 4, text, size)
    to.size += 4 + size
    return 0


cdef inline int _id(_Buffer to, object value) except -1:
    cdef char *at
    if value is None:
        return _null(to)
    at = to.room(20)
    _write32(at, 16)
    llamalog_int_bytes(value.int, <uint8_t *>at + 4)
    to.size += 20
    return 0


cdef inline int _integer(_Buffer to, object value) except -1:
    cdef char *at
    if value is None:
        return _null(to)
    at = to.room(8)
    _write32(at, 4)
    _write32(at + 4, <uint32_t><int32_t>value)
    to.size += 8
    return 0


cdef inline int _boolean(_Buffer to, bint value) except -1:
    cdef char *at = to.room(5)
    _write32(at, 1)
    at[4] = value
    to.size += 5
    return 0


cdef inline int _object(_Buffer to, object value) except -1:
    cdef bytes text
    cdef Py_ssize_t size
    cdef char *at
    if value is None:
        return _null(to)
    text = _encode_json(value)
    size = PyBytes_GET_SIZE(text)
    at = to.room(5 + size)
    _write32(at, <uint32_t>(size + 1))
    at[4] = 1  # the version of the format
    memcpy(at + 5, PyBytes_AS_STRING(text), size)
    to.size += 5 + size
    return 0


cdef inline int _texts(_Buffer to, tuple values, uint32_t element) except -1:
    cdef Py_ssize_t begin
    cdef char *at
    if values is None:
        return _null(to)
    if not values:
        at = to.room(16)
        _write32(at, 12)
        _write32(at + 4, 0)  # dimensions
        _write32(at + 8, 0)
        _write32(at + 12, element)
        to.size += 16
        return 0
    begin = to.size
    at = to.room(24)
    _write32(at + 4, 1)  # dimensions
    _write32(at + 8, 0)  # none is NULL
    _write32(at + 12, element)
    _write32(at + 16, <uint32_t>len(values))
    _write32(at + 20, 1)  # the index of the first
    to.size += 24
    for value in values:
        _text(to, value)
    _write32(to.data + begin, <uint32_t>(to.size - begin - 4))
    return 0


cdef int64_t _days_since_2000(int64_t year, int64_t month, int64_t day) noexcept:
    """Days of the Gregorian calendar; years begin in March, so that a leap day is their last."""
    cdef int64_t era, within, days
    year -= month <= 2
    era = year // 400
    within = year - era * 400
    days = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + within * 365 + within // 4 - within // 100 + days - 730425


cdef inline int _moment(_Buffer to, object value) except -1:
    cdef int64_t seconds
    cdef char *at
    if not PyDateTime_Check(value):
        raise TypeError(f"{value!r} is no time")
    seconds = _days_since_2000(datetime_year(value), datetime_month(value), datetime_day(value)) * 86400
    seconds += datetime_hour(value) * 3600 + datetime_minute(value) * 60 + datetime_second(value)
    at = to.room(12)
    _write32(at, 8)
    _write64(at + 4, <uint64_t>(seconds * 1000000 + datetime_microsecond(value)))
    to.size += 12
    return 0


def copy_data(rows, roots, revisions, first_revision, elements):
    """Rows as COPY takes them in binary format, without its beginning and end.

    Args:
        rows: contents of rows, as structs; `roots` runs in step.
        revisions: by id, of those that begin with another than `first_revision`.
        elements: the types of the elements of `sources`, `fields_enriched` and `cycle_members`.
    """
    cdef uint32_t sources_of, fields_of, cycle_of
    sources_of, fields_of, cycle_of = elements
    cdef _Buffer to = _Buffer()
    cdef tuple row, root
    cdef char *at
    for content, found in zip(rows, roots, strict=True):
        row, root = astuple(content), astuple(found)
        at = to.room(2)
        at[0], at[1] = 0, 33
        to.size += 2
        _id(to, row[0])
        _text(to, row[1])
        _id(to, row[2])
        _id(to, row[3])
        _id(to, row[4])
        _id(to, row[5])
        _text(to, row[6])
        _text(to, row[7])
        _texts(to, row[8], sources_of)
        _text(to, row[9])
        _text(to, row[10])
        _texts(to, row[11], fields_of)
        _text(to, row[12])
        _text(to, row[13])
        _text(to, row[14])
        _text(to, row[15])
        _integer(to, row[16])
        _integer(to, row[17])
        _integer(to, row[18])
        _object(to, row[19])
        _object(to, row[20])
        _text(to, row[21])
        _text(to, row[22])
        _boolean(to, row[23])
        _text(to, row[24])
        _text(to, row[25])
        _moment(to, row[26])
        _text(to, row[27])
        _text(to, root[0])
        _text(to, root[1])
        _texts(to, root[2], cycle_of)
        _boolean(to, root[3])
        _integer(to, revisions.get(row[0], first_revision) if revisions else first_revision)
    return to.written()


# --- provenance records -------------------------------------------------------------------------------------

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
    to.add(b"}}", 2)
    return PyBytes_FromStringAndSize(to.data + 48, 36), to.written()


# --- contents of rows ---------------------------------------------------------------------------------------

cdef object _UUID = uuid.UUID
cdef object _UNKNOWN = uuid.SafeUUID.unknown
cdef object _UTC = datetime.UTC


cdef inline int _digit(uint8_t character) noexcept:
    if 48 <= character <= 57:
        return character - 48
    character |= 32
    return character - 87 if 97 <= character <= 102 else -1


cdef object _uuid_of(object text):
    """The UUID whose text form of 36 characters this is, or None."""
    cdef Py_ssize_t size
    cdef const uint8_t *at = <const uint8_t *>PyUnicode_AsUTF8AndSize(text, &size)
    cdef uint8_t[16] octets
    cdef int place, high, low
    if size != 36:
        return None
    for place in range(16):
        if place == 4 or place == 6 or place == 8 or place == 10:
            if at[0] != 45:
                return None
            at += 1
        high, low = _digit(at[0]), _digit(at[1])
        if high < 0 or low < 0:
            return None
        octets[place] = high * 16 + low
        at += 2
    found = _UUID.__new__(_UUID)  # whose own constructor takes ten times as long, and forbids to set what it has
    PyObject_GenericSetAttr(found, "int", llamalog_int_from(octets))
    PyObject_GenericSetAttr(found, "is_safe", _UNKNOWN)
    return found


def content_values(event):
    """The columns of the row that an entity event becomes, in order; None for an id or a time of a rarer form."""
    cdef tuple data = astuple(event.data)
    cdef object entity_type = data[22], entity_id = data[23]
    cdef object album_id = data[2], artist_id = data[3], track_id = data[4]
    cdef object job_id = data[17], parent_job_id = data[18]
    cdef object time = event.time
    cdef object row = _uuid_of(event.id)
    if row is None or not PyDateTime_Check(time) or time.tzinfo is not _UTC:
        return None
    if entity_type == "TRACK":
        if track_id is None:
            track_id = entity_id
    elif entity_type == "ALBUM":
        if album_id is None:
            album_id = entity_id
    elif artist_id is None:
        artist_id = entity_id
    return (
        row,
        entity_type,
        entity_id,
        artist_id,
        album_id,
        track_id,
        data[0],
        event.category,
        data[5],
        data[1],
        data[6],
        data[7],
        data[8],
        data[9],
        data[10],
        data[11],
        data[12],
        data[13],
        data[14],
        data[15],
        data[16],
        job_id,
        parent_job_id,
        job_id is not None and parent_job_id is None,
        data[20],
        data[21],
        datetime_new(
            datetime_year(time),
            datetime_month(time),
            datetime_day(time),
            datetime_hour(time),
            datetime_minute(time),
            datetime_second(time),
            datetime_microsecond(time) // 1000 * 1000,
            None,
        ),
        data[19],
    )


# --- marks of a message -------------------------------------------------------------------------------------


def marks(value):
    """The number of bytes of a message that begin a value: commas, colons and opening brackets."""
    if not isinstance(value, bytes):
        raise TypeError(f"{value!r} is no bytes")
    cdef const uint8_t *text = <const uint8_t *>PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value), place, start, count = 0
    cdef uint8_t few
    for start in range(0, size, 128):  # so few that their count fits a byte: sixteen are compared at once
        few = 0
        for place in range(start, min(start + 128, size)):
            few += (text[place] == 44) | (text[place] == 58) | (text[place] == 91) | (text[place] == 123)
        count += few
    return count
