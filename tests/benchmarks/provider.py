"""A provider for measurements: raw asyncio, canned replies, in a process of its own.

usage: python tests/benchmarks/provider.py PORT [CHUNKS]

POST /v1/chat/completions         one JSON answer, or CHUNKS events in one burst when a stream is asked for
POST /fail/v1/chat/completions    503
"""

from __future__ import annotations

import asyncio
import json
import sys


def _event(**data: object) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024-07-18"}
    return b"data: " + json.dumps({**head, **data}).encode() + b"\n\n"


def _choice(delta: dict[str, object], finish: str | None = None) -> bytes:
    return _event(choices=[{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], usage=None)


def _response(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def canned(chunks: int) -> tuple[bytes, bytes, bytes]:
    """The whole answer, the stream, and the failure, as bytes of HTTP."""
    usage = {"prompt_tokens": 24, "completion_tokens": chunks, "total_tokens": 24 + chunks}
    message = {"role": "assistant", "content": "The capital of France is Paris. " * 8}
    choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": choices, "usage": usage}
    events = [_choice({"role": "assistant", "content": ""})]
    events += [_choice({"content": f" token{number}"}) for number in range(chunks)]
    events += [_choice({}, "stop"), _event(choices=[], usage=usage), b"data: [DONE]\n\n"]
    body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in events) + b"0\r\n\r\n"
    stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + body
    failure = _response(
        "503 Service Unavailable", "application/json", b'{"error":{"message":"down","type":"server_error"}}'
    )
    return _response("200 OK", "application/json", json.dumps(whole).encode()), stream, failure


class Provider(asyncio.Protocol):
    """One connection."""

    def __init__(self, whole: bytes, stream: bytes, failure: bytes) -> None:
        self.whole, self.stream, self.failure = whole, stream, failure
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self.pending += data
        while (split := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:split].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.pending) < split + 4 + length:
                return
            body, self.pending = self.pending[split + 4 : split + 4 + length], self.pending[split + 4 + length :]
            asked = b'"stream":true' in body.replace(b" ", b"")
            failing = head.split(b" ", 2)[1].startswith(b"/fail")
            self.transport.write(self.failure if failing else self.stream if asked else self.whole)  # type: ignore[attr-defined]


async def main() -> None:
    """Serve until killed."""
    replies = canned(int(sys.argv[2]) if len(sys.argv) > 2 else 200)
    server = await asyncio.get_running_loop().create_server(lambda: Provider(*replies), "127.0.0.1", int(sys.argv[1]))
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
