"""Encoded bodies, unpacked piece by piece: a small body that unpacks to a huge one is refused, and never held.

The HTTP libraries unpack whatever one read brought in one go (64 KiB of gzip are up to 64 MiB, of Brotli far more), so
the engines take bodies as they are sent and unpack them here: at most `PIECE` bytes at a time, and no further once a
body is larger than any text that was packed. The engines ask for what is unpacked here, and for nothing else.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Protocol

from lamellar.errors import ErrorKind, ExecutorError, StreamClosedError

from .base import EngineResponse

__all__ = ["PIECE", "accepted", "decoded", "offered"]

PIECE = 256 * 1024
"""Bytes that are unpacked at a time."""

_FREE = 8 << 20
"""Unpacked bytes for which the ratio does not matter; a whole answer of this size is rare."""

_RATIO = 100
"""Unpacked bytes for each packed one, above which a body beyond `_FREE` is no text: JSON reaches some 20, the most
repetitive event streams some 50, and a bomb 1000 (gzip's most) and more."""

_GZIP = b"\x1f\x8b"


class _BadBodyError(Exception):
    """The bytes are not what the header says, or far too many."""


class _Unpacker(Protocol):
    def unpack(self, data: bytes) -> bytes:
        """What `data`, and what was left before, unpacks to: the next `PIECE` bytes at most.

        Empty when it needs more, or is at its end.
        """
        ...


class _Gzip:
    """gzip, also several members one after another; what follows them is ignored, as everywhere."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._rest = b""

    def unpack(self, data: bytes) -> bytes:
        data = self._rest + data
        while data:
            if self._stream.eof:
                if not _GZIP.startswith(data[:2]):
                    break
                if len(data) < len(_GZIP):
                    self._rest = data
                    return b""
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            found = self._stream.decompress(data, PIECE)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if found:
                self._rest = data
                return found
        self._rest = b""
        return b"" if self._stream.eof else self._stream.decompress(b"", PIECE)


class _Deflate:
    """deflate: with zlib's header, as it is meant, or without, as some servers send it."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._rest = b""

    def unpack(self, data: bytes) -> bytes:
        data = self._rest + data
        if self._stream is None:
            if len(data) < 2:
                self._rest = data
                return b""
            wrapped = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        if self._stream.eof:
            return b""
        found = self._stream.decompress(data, PIECE)
        self._rest = self._stream.unconsumed_tail
        return found


class _BrotliDecompressor(Protocol):
    def process(self, data: bytes, output_buffer_limit: int) -> bytes: ...

    def can_accept_more_data(self) -> bool: ...

    def is_finished(self) -> bool: ...


class _Brotli:
    """Brotli, by a package that can be told where to stop (1.2 and later)."""

    def __init__(self, stream: _BrotliDecompressor) -> None:
        self._stream = stream
        self._rest = b""

    def unpack(self, data: bytes) -> bytes:
        if self._stream.is_finished():
            return b""
        if self._stream.can_accept_more_data():
            data, self._rest = self._rest + data, b""
        else:
            data, self._rest = b"", self._rest + data
        try:
            return self._stream.process(data, output_buffer_limit=PIECE)
        except Exception as error:  # a class of the package's own
            raise _BadBodyError from error


def _brotli() -> _BrotliDecompressor | None:
    """A decompressor, or None where no package is installed that can be told where to stop."""
    for name in ("brotli", "brotlicffi"):
        try:
            found: _BrotliDecompressor = import_module(name).Decompressor()
            found.process(b"", output_buffer_limit=1)
        except (ImportError, AttributeError, TypeError):
            continue
        return found
    return None


@cache
def offered() -> str:
    """The `accept-encoding` of every request: what can be unpacked here."""
    return "gzip, deflate, br" if _brotli() is not None else "gzip, deflate"


def accepted(wanted: str) -> str:
    """Of what somebody else's client would accept, what can be unpacked here too."""
    ours = offered().split(", ")
    codings = [each.strip() for each in wanted.lower().split(",")]
    return ", ".join(each for each in codings if each.partition(";")[0].rstrip() in ours) or "identity"


def decoded(response: EngineResponse) -> EngineResponse:
    """`response` with its body unpacked; itself where it is sent as it is.

    Raises:
        ExecutorError: Kind ``malformed``, code ``encoding``: it is packed in a way that was not asked for.
    """
    said = response.headers.get("content-encoding", "").strip().lower()
    if said in ("", "identity"):
        return response
    unpacker: _Unpacker
    if said in ("gzip", "x-gzip"):
        unpacker = _Gzip()
    elif said == "deflate":
        unpacker = _Deflate()
    elif said == "br" and (stream := _brotli()) is not None:
        unpacker = _Brotli(stream)
    else:
        unpacker = _Unknown(said)
    return _Decoded(response, unpacker)


class _Unknown:
    """An encoding that was not asked for: its body is refused when it is read, for its status may say enough."""

    def __init__(self, name: str) -> None:
        self._name = name

    def unpack(self, data: bytes) -> bytes:
        if data:
            raise _BadBodyError(f"is encoded as {self._name[:40]!r}, which was not asked for")
        return b""


class _Decoded(EngineResponse):
    __slots__ = ("_closed", "_inner", "_packed", "_unpacked", "_unpacker", "_whole")

    headers: Mapping[str, str]

    def __init__(self, inner: EngineResponse, unpacker: _Unpacker) -> None:
        self.status = inner.status
        self.headers = inner.headers
        self._inner = inner
        self._unpacker = unpacker
        self._packed = 0
        self._unpacked = 0
        self._whole = False  # all packed bytes are here
        self._closed = False

    async def read(self) -> bytes:
        more = b""
        while True:
            if self._closed:
                raise StreamClosedError("the response was closed")
            found = self._unpack(more)
            if found:
                if not more:
                    await self._pause()
                return found
            if self._whole:
                return b""
            more = await self._inner.read()
            self._packed += len(more)
            self._whole = not more

    async def _pause(self) -> None:
        """Nothing was waited for: others get their turn."""
        try:
            await asyncio.sleep(0)
        except BaseException:
            self.abort()
            raise

    def _unpack(self, data: bytes) -> bytes:
        try:
            found = self._unpacker.unpack(data)
            self._unpacked += len(found)
            if self._unpacked > max(_FREE, self._packed * _RATIO):
                raise _BadBodyError(f"unpacks {self._packed} bytes to {self._unpacked} and more, which no text does")
            if self._packed > _FREE + self._unpacked:
                raise _BadBodyError(f"unpacks {self._packed} bytes to {self._unpacked}, and is no end of them")
        except (_BadBodyError, zlib.error) as error:
            told = isinstance(error, _BadBodyError) and error.args
            problem = str(error) if told else "is not what its content-encoding says"
        else:
            return found
        self.abort()
        raise ExecutorError(ErrorKind.MALFORMED, f"the answer {problem}", status=self.status, code="encoding")

    def abort(self) -> None:
        if not self._whole:
            self._closed = True
        self._inner.abort()

    async def release(self) -> None:
        self._closed = self._closed or not self._whole
        await self._inner.release()
