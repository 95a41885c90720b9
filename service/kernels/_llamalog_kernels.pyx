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

# One module, since a build finds one file by its name; each file below is one thought.
include "buffer.pxi"
include "copy_data.pxi"
include "provenance_records.pxi"
include "row_contents.pxi"
include "marks.pxi"
