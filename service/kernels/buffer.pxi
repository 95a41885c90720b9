# Bytes that grow at their end: the two kernels that write share it.

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
