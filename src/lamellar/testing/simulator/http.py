"""Just enough of HTTP/1.1 to serve: requests out of bytes, response heads into bytes. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

from .log import Headers
from .steps import Head

__all__ = ["RawRequest", "RequestReader", "UnreadableError", "render_head"]

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024


class UnreadableError(Exception):
    """What the client sent is no HTTP request, or is too large; `status` is what to answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request that has arrived whole."""

    method: str
    path: str
    version: str
    headers: Headers
    body: bytes = field(repr=False)

    @property
    def keep_alive(self) -> bool:
        """Whether the client would use the connection again."""
        said = self.headers.get("connection", "").lower()
        return said != "close" if self.version == "HTTP/1.1" else said == "keep-alive"


class RequestReader:
    """Collects bytes, and gives requests as they become whole."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Bytes have arrived.

        Raises:
            UnreadableError: More than any request may hold is waiting.
        """
        self._buffer += data
        if len(self._buffer) > MAX_HEAD + MAX_BODY:
            raise UnreadableError(413, "the request is too large")

    def next(self) -> RawRequest | None:
        """The next whole request, or None as long as there is none.

        Raises:
            UnreadableError: It is no HTTP request.
        """
        while self._buffer.startswith(b"\r\n"):  # some clients end a body with an empty line too many
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise UnreadableError(431, "the request's head is too large")
            return None
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        method, path, version = _request_line(lines[0])
        headers = Headers(_fields(lines[1:]))
        found = self._body(headers, end + 4)
        if found is None:
            return None
        body, end = found
        del self._buffer[:end]
        return RawRequest(method, path, version, headers, body)

    def _body(self, headers: Headers, start: int) -> tuple[bytes, int] | None:
        """The body and where it ends, or None as long as it is not whole."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks(start)
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            length = -1
        if length < 0:
            raise UnreadableError(400, "content-length is not a number")
        if length > MAX_BODY:
            raise UnreadableError(413, "the request's body is too large")
        end = start + length
        return (bytes(self._buffer[start:end]), end) if len(self._buffer) >= end else None

    def _chunks(self, at: int) -> tuple[bytes, int] | None:
        body = bytearray()
        while True:
            line = self._buffer.find(b"\r\n", at)
            if line < 0:
                return None
            try:
                size = int(bytes(self._buffer[at:line]).split(b";")[0], 16)
            except ValueError:
                raise UnreadableError(400, "a chunk's size is not a number") from None
            at = line + 2
            if size == 0:
                break
            if len(self._buffer) < at + size + 2:
                return None
            body += self._buffer[at : at + size]
            at += size + 2
        while True:  # trailers, up to the empty line
            line = self._buffer.find(b"\r\n", at)
            if line < 0:
                return None
            empty, at = line == at, line + 2
            if empty:
                return bytes(body), at


def render_head(head: Head, *, chunked: bool, close: bool, number: int) -> bytes:
    """The status line and the header block.

    Args:
        head: What to render.
        chunked: Whether the body comes in chunks; without it and a length it ends with the connection.
        close: Whether the connection ends after the body.
        number: The request's number, for its id.
    """
    try:
        reason = HTTPStatus(head.status).phrase
    except ValueError:
        reason = "Unknown"
    fields = [f"HTTP/1.1 {head.status} {reason}"]
    fields += [f"{name}: {value}" for name, value in head.headers]
    if not any(name.lower() == "x-request-id" for name, _ in head.headers):
        fields.append(f"x-request-id: req_sim_{number}")
    if head.length is not None:
        fields.append(f"content-length: {head.length}")
    elif chunked:
        fields.append("transfer-encoding: chunked")
    if close:
        fields.append("connection: close")
    return "\r\n".join([*fields, "", ""]).encode("latin-1")


def _request_line(line: str) -> tuple[str, str, str]:
    words = line.split(" ")
    if len(words) != 3 or words[2] not in {"HTTP/1.1", "HTTP/1.0"}:
        raise UnreadableError(400, "the request line is not HTTP/1.1")
    return words[0], words[1], words[2]


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise UnreadableError(400, "a header field is malformed")
        name = name.lower()
        fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
    return fields
