# Rows in the binary format of PostgreSQL's COPY (its reference page of COPY, "Binary Format")

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


cdef inline int _content(_Buffer to, tuple row, uint32_t sources_of, uint32_t fields_of) except -1:
    """The 28 columns of a content before its producer and its trace."""
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
    return 0


def copy_data(rows, roots, producers, revisions, first_revision, elements):
    """Rows as COPY takes them in binary format, without its beginning and end.

    Args:
        rows: contents of rows, as structs; `roots` runs in step.
        producers: the numbers of the rows' producers, by name.
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
        at[0], at[1] = 0, 35
        to.size += 2
        _content(to, row, sources_of, fields_of)
        _integer(to, producers[row[28]])
        _text(to, row[29])
        _text(to, root[0])
        _text(to, root[1])
        _texts(to, root[2], cycle_of)
        _boolean(to, root[3])
        _integer(to, revisions.get(row[0], first_revision) if revisions else first_revision)
    return to.written()


def placed_data(rows, positions, elements):
    """Contents of rows, each with the partition and the offset of its message, likewise.

    Args:
        rows: contents of rows, as structs; `positions` runs in step.
        elements: the types of the elements of `sources` and `fields_enriched`.
    """
    cdef uint32_t sources_of, fields_of
    sources_of, fields_of = elements
    cdef _Buffer to = _Buffer()
    cdef tuple row
    cdef char *at
    for content, position in zip(rows, positions, strict=True):
        row = astuple(content)
        at = to.room(2)
        at[0], at[1] = 0, 32
        to.size += 2
        _content(to, row, sources_of, fields_of)
        _text(to, row[28])
        _text(to, row[29])
        _integer(to, position.partition)
        at = to.room(12)
        _write32(at, 8)
        _write64(at + 4, <uint64_t><int64_t>position.offset)
        to.size += 12
    return to.written()
