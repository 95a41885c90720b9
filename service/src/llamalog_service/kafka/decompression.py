"""Decompress record batches piece by piece: a megabyte on the wire may hold a gigabyte."""

import struct
import time
import zlib
from collections.abc import Iterator
from typing import Final

import cramjam
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError

PIECE_BYTES: Final = 256 * 1024
"""The usual size of a piece; one of snappy may have up to 22 times the size of its batch."""

WIDE_BYTES: Final = 8 * 1024 * 1024
"""A zstd window that takes more, up to 128 MiB, is wide: RFC 8878 lets no decoder expect it."""
_IDLE_SECONDS: Final = 2.0
_FED_BYTES: Final = 4 * 1024
"""zlib copies what it was fed and did not read: a megabyte can hold 50,000 gzip members."""
_MEMBERS_A_TURN: Final = 100

_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
_GZIP_FRAMING: Final = 16 + zlib.MAX_WBITS

_XERIAL: Final = b"\x82SNAPPY\0"
_XERIAL_HEADER_BYTES: Final = 16

_LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
_LZ4_CONTENT_SIZE, _LZ4_DICTIONARY, _LZ4_BLOCK_CHECKSUM, _LZ4_INDEPENDENT = 0x08, 0x01, 0x10, 0x20
_LZ4_STORED: Final = 0x80000000


def decompressed(codec: int, data: memoryview) -> Iterator[bytes]:
    """The pieces of a compressed batch, by the number of its codec in Kafka.

    A piece may be empty: others are to get their turn then.

    Raises:
        CorruptRecordException: it is damaged.
        UnsupportedCodecError: there is no such codec.
    """
    pieces = {_GZIP: _gzip, _SNAPPY: _snappy, _LZ4: _lz4, _ZSTD: _zstd}.get(codec)
    if pieces is None:
        raise UnsupportedCodecError(f"Unknown compression codec {codec:#04x}")
    try:
        yield from pieces(data)
    except (zlib.error, cramjam.DecompressionError, struct.error, IndexError, ValueError) as error:
        raise CorruptRecordException(f"a compressed batch cannot be read: {error!r}") from error


def _gzip(data: memoryview) -> Iterator[bytes]:
    at, members = 0, 0
    while at < len(data):
        member = zlib.decompressobj(_GZIP_FRAMING)
        while not member.eof:
            fed = data[at : at + _FED_BYTES]
            piece = member.decompress(fed, PIECE_BYTES)
            at += len(fed) - len(member.unused_data if member.eof else member.unconsumed_tail)
            if piece:
                yield piece
            elif not fed and not member.eof:
                raise ValueError("gzip: the data end too early")
        while at < len(data) and data[at] == 0:
            at += 1
        members += 1
        if members % _MEMBERS_A_TURN == 0:
            yield b""


def _snappy(data: memoryview) -> Iterator[bytes]:
    """In the framing of Java's clients, blocks of 32 KiB; or as one block."""
    if bytes(data[: len(_XERIAL)]) != _XERIAL:
        yield bytes(cramjam.snappy.decompress_raw(data))
        return
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if not 0 <= size <= len(data) - at:
            raise ValueError("snappy: a block ends after the data")
        yield bytes(cramjam.snappy.decompress_raw(data[at : at + size]))
        at += size


def _lz4(data: memoryview) -> Iterator[bytes]:
    """Frames of blocks that stand alone, as Kafka demands them."""
    if bytes(data[:4]) != _LZ4_MAGIC:
        raise ValueError("lz4: no frame")
    flags, block_size = data[4], 1 << (8 + 2 * (data[5] >> 4 & 7))
    if not flags & _LZ4_INDEPENDENT:
        raise ValueError("lz4: blocks depend on each other, which Kafka does not allow")
    at = 7 + (8 if flags & _LZ4_CONTENT_SIZE else 0) + (4 if flags & _LZ4_DICTIONARY else 0)
    room = bytearray(block_size)
    while True:
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if size == 0:
            return
        stored, size = size & _LZ4_STORED, size & ~_LZ4_STORED
        if size > len(data) - at:
            raise ValueError("lz4: a block ends after the data")
        block = data[at : at + size]
        at += size + (4 if flags & _LZ4_BLOCK_CHECKSUM else 0)
        if stored:
            yield bytes(block)
        else:
            length = cramjam.lz4.decompress_block_into(block, room)
            yield bytes(memoryview(room)[:length])


def _zstd(data: memoryview) -> Iterator[bytes]:
    from zstandard import ZstdDecompressor, ZstdError, get_frame_parameters

    stream = object()
    try:
        is_wide = get_frame_parameters(data).window_size > WIDE_BYTES
        while is_wide and not _wide_windows.take(stream):
            yield b""
        reader = ZstdDecompressor().stream_reader(data, read_across_frames=True)
        while piece := reader.read(PIECE_BYTES):
            yield piece
            if is_wide:
                _wide_windows.take(stream)
    except ZstdError as error:
        raise ValueError(f"zstd: {error}") from error
    finally:
        _wide_windows.leave(stream)


class _WideWindows:
    """The turns of streams with wide windows: one at a time, for a stream for each partition may be open."""

    def __init__(self) -> None:
        self._holder: object | None = None
        self._used = 0.0

    def take(self, stream: object) -> bool:
        """Whether it is the turn of a stream; also if that of another was not read for a while."""
        now = time.monotonic()
        if self._holder not in (None, stream) and now - self._used < _IDLE_SECONDS:
            return False
        self._holder, self._used = stream, now
        return True

    def leave(self, stream: object) -> None:
        """End the turn of a stream."""
        if self._holder is stream:
            self._holder = None


_wide_windows: Final = _WideWindows()
