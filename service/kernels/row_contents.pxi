# Contents of rows: the columns that an event's values become.

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
        event.source,
        event.traceparent,
    )
