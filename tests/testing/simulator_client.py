"""A client as plain as can be, for the tests of the simulator."""

import json
import socket
import ssl
from dataclasses import dataclass, field

import httpx

BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is the capital of France?"}]}

# Made once: a client that makes its own takes longer over that than over the call.
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Seen:
    """What the client saw of one answer."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    raw: bytes = b""
    error: Exception | None = None

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def data(self):
        """The payload of every SSE event, as text."""
        lines = self.raw.decode().split("\n")
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    @property
    def chunks(self):
        return [json.loads(text) for text in self.data if text != "[DONE]"]

    @property
    def done(self):
        return self.data[-1:] == ["[DONE]"]

    @property
    def deltas(self):
        return [chunk["choices"][0]["delta"] for chunk in self.chunks if chunk.get("choices")]

    @property
    def text(self):
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def finish(self):
        found = [chunk["choices"][0]["finish_reason"] for chunk in self.chunks if chunk.get("choices")]
        return found[-1] if found else None

    @property
    def usage(self):
        return next((chunk["usage"] for chunk in self.chunks if chunk.get("usage")), None)


def ask(simulator, *, stream=False, usage=False, timeout=2.0, client=None, **body):
    """One call; what came before a failure is kept beside it."""
    said = {**BODY, "stream": stream, **body}
    if usage:
        said["stream_options"] = {"include_usage": True}
    seen = Seen()
    own = httpx.Client(timeout=timeout, trust_env=False, verify=CONTEXT) if client is None else client
    try:
        with own.stream("POST", f"{simulator.base_url}/chat/completions", json=said) as response:
            seen.status, seen.headers = response.status_code, response.headers
            for piece in response.iter_bytes():
                seen.raw += piece
    except httpx.HTTPError as error:
        seen.error = error
    finally:
        if client is None:
            own.close()
    return seen


def dial(simulator):
    """A bare socket to the simulator."""
    connection = socket.create_connection(("127.0.0.1", simulator.port), timeout=2)
    connection.settimeout(2)
    return connection


def request_bytes(*, stream=False, path="/v1/chat/completions", extra=""):
    body = json.dumps({**BODY, "stream": stream}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def read_all(connection):
    """Everything until the end, and the error that ended it, if any."""
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except OSError as error:
        return found, error
    return found, None
