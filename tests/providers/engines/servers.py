"""Servers that misbehave on purpose, on loopback, made of raw asyncio streams."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE = b"5\r\nhello\r\n"


def reply(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers))
    return head.encode() + b"\r\n" + body


async def read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Head and body of one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
    return head, await reader.readexactly(length)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with an RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Server:
    port: int
    scheme: str = "http"
    connections: int = 0
    open: int = 0
    requests: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1/chat"

    async def until_open(self, count: int, timeout: float = 2) -> None:
        """Wait until the server sees `count` open connections."""
        async with asyncio.timeout(timeout):
            while self.open != count:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def serve(handler: Handler | bytes, tls: SSLContext | None = None) -> AsyncIterator[Server]:
    """Run `handler` for every connection; bytes are the reply to every request."""
    tasks: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            server.requests.append(await read_request(reader))
            assert isinstance(handler, bytes)
            writer.write(handler)

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await (answer(reader, writer) if isinstance(handler, bytes) else handler(reader, writer))
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            writers.discard(writer)
            server.open -= 1

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.open += 1
        writers.add(writer)
        task = asyncio.get_running_loop().create_task(run(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, backlog=512)
    server = Server(listener.sockets[0].getsockname()[1], "https" if tls else "http")
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        for writer in list(writers):
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)


async def forever(reader: asyncio.StreamReader) -> None:
    """Until the client closes."""
    while await reader.read(65536):
        pass


@contextmanager
def blackhole() -> Iterator[int]:
    """The port of a listener whose backlog is full: connections to it neither succeed nor fail."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
            fillers.append(filler)
        try:
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def proxy_handler(seen: list[str], answer: str | None = None) -> Handler:
    """A proxy: CONNECT tunnels and absolute URIs. `seen` gets the first line and the credentials of each request."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first = head.split("\r\n")[0]
            auth = next((line for line in head.split("\r\n") if line.lower().startswith("proxy-authorization")), "")
            seen.append(f"{first} {auth}".strip())
            method, target, _ = first.split(" ")
            if answer is not None:
                writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n".encode())
                continue
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                there, back = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                try:
                    await asyncio.gather(pump(reader, back), pump(there, writer))
                finally:
                    back.close()
                return
            host, _, port = target.split("/")[2].partition(":")
            length = next((int(x[15:]) for x in head.lower().split("\r\n") if x.startswith("content-length:")), 0)
            body = await reader.readexactly(length)
            there, back = await asyncio.open_connection(host, int(port))
            try:
                back.write(head.replace(target, "/" + target.split("/", 3)[3], 1).encode() + body)
                answer_head = await there.readuntil(b"\r\n\r\n")
                size = next(int(x[15:]) for x in answer_head.decode().lower().split("\r\n") if "content-length:" in x)
                writer.write(answer_head + await there.readexactly(size))
            finally:
                back.close()

    return handle
