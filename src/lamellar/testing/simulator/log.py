"""What the simulator saw: one `RequestLog` for each request, and a condition to wait on."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from pydantic import JsonValue

from lamellar.secrets import MASK, scrub

from .steps import Outcome

__all__ = ["Headers", "Log", "Record", "RequestLog"]

_SECRET = frozenset(
    {"authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie", "x-amz-security-token"}
)


class Headers(Mapping[str, str]):
    """A request's headers: names in lower case, looked up in any case; values that are secrets are not shown."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return repr({name: MASK if name in _SECRET else scrub(value) for name, value in self._fields.items()})


@dataclass(frozen=True)
class RequestLog:
    """One request, as the simulator saw it, and what became of its reply so far.

    Args:
        number: Which request it was, from 1, in the order of arrival.
        connection: Which connection it came on, from 1.
        time: When it had arrived whole, by the simulator's clock, in seconds.
        wall: The same in seconds since the epoch.
        method: The HTTP method.
        path: The path, with its query.
        headers: The headers; names in lower case.
        body: The body's bytes.
        json: The body as JSON, or None when it is not.
        model: The model that was asked, or None.
        stream: Whether a stream was asked for.
        reply: The reply that the script chose, described in short.
        status: The HTTP status that was sent, or None as long as none was.
        chunks_sent: How many content chunks have been sent.
        bytes_sent: How many bytes have been sent, headers and framing included.
        outcome: How it ended, or None while the reply is being played.
        ended_at: When it ended, by the simulator's clock, or None.
    """

    number: int
    connection: int
    time: float
    wall: float
    method: str
    path: str
    headers: Headers
    body: bytes = field(repr=False)
    json: JsonValue = field(repr=False)
    model: str | None
    stream: bool
    reply: str = ""
    status: int | None = None
    chunks_sent: int = 0
    bytes_sent: int = 0
    outcome: Outcome | None = None
    ended_at: float | None = None

    @property
    def messages(self) -> tuple[dict[str, JsonValue], ...]:
        """The body's `messages` (Google: `contents`, OpenAI's Responses: `input`), as far as they are objects."""
        said = self.json if isinstance(self.json, dict) else {}
        found = next((said[name] for name in ("messages", "contents", "input") if name in said), None)
        return tuple(message for message in found if isinstance(message, dict)) if isinstance(found, list) else ()

    def __repr__(self) -> str:
        said = f"{self.outcome or 'playing'}, {self.chunks_sent} chunks, {self.bytes_sent} bytes"
        return (
            f"RequestLog(#{self.number} {self.method} {scrub(self.path)}, model={self.model!r}, stream={self.stream}, "
            f"reply={self.reply!r}, status={self.status}, {said}, headers={self.headers!r})"
        )


class Record:
    """The growing record of one request; `freeze` makes the `RequestLog` of this moment."""

    __slots__ = ("_arrived", "_frozen", "bytes_sent", "chunks_sent", "ended_at", "outcome", "reply", "status")

    def __init__(self, arrived: RequestLog) -> None:
        self._arrived = arrived
        self._frozen: RequestLog | None = None
        self.reply = ""
        self.status: int | None = None
        self.chunks_sent = 0
        self.bytes_sent = 0
        self.outcome: Outcome | None = None
        self.ended_at: float | None = None

    @property
    def arrived(self) -> RequestLog:
        """The request as it arrived."""
        return self._arrived

    def freeze(self) -> RequestLog:
        """The record of this moment; made once when the reply is over."""
        if self._frozen is not None:
            return self._frozen
        fields = dict(self._arrived.__dict__)
        for name in ("reply", "status", "chunks_sent", "bytes_sent", "outcome", "ended_at"):
            fields[name] = getattr(self, name)
        frozen = RequestLog(**fields)
        if self.outcome is not None:
            self._frozen = frozen
        return frozen


class Log:
    """Everything the simulator saw. Written by its thread, read by any; `changed` wakes who waits.

    Args:
        now: The simulator's clock, in seconds.
        limit: How many requests are kept; the oldest go first.
    """

    def __init__(self, now: Callable[[], float], limit: int) -> None:
        self.now = now
        self.condition = threading.Condition()  # on a re-entrant lock: a predicate may read the log
        self.records: deque[Record] = deque(maxlen=limit)
        self.waiters: list[Future[None]] = []
        self.request_count = 0
        self.connection_count = 0
        self.open_connections = 0
        self._last_connection = 0
        self.error: Exception | None = None

    def changed(self) -> None:
        """Wake everybody who waits for something."""
        with self.condition:
            self.condition.notify_all()
            waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            with contextlib.suppress(InvalidStateError):  # cancelled by its own task meanwhile
                waiter.set_result(None)

    def connected(self) -> int:
        """A connection was made; its number."""
        with self.condition:
            self.connection_count += 1
            self.open_connections += 1
            self._last_connection += 1
            number = self._last_connection
        self.changed()
        return number

    def disconnected(self) -> None:
        """A connection is gone."""
        with self.condition:
            self.open_connections -= 1
        self.changed()

    def arrived(
        self,
        connection: int,
        method: str,
        path: str,
        headers: Headers,
        body: bytes,
        *,
        json: JsonValue,
        model: str | None,
        stream: bool,
    ) -> Record:
        """A request arrived whole."""
        with self.condition:
            self.request_count += 1
            number = self.request_count
            times = (self.now(), time.time())
            request = RequestLog(
                number, connection, *times, method, path, headers, body, json=json, model=model, stream=stream
            )
            record = Record(request)
            self.records.append(record)
        return record

    def ended(self, record: Record, outcome: Outcome) -> None:
        """A reply is over; only the first outcome counts."""
        with self.condition:
            if record.outcome is None:
                record.ended_at = self.now()
                record.outcome = outcome
        self.changed()

    def clear(self) -> None:
        """Forget every request and start the counts again; open connections stay open and counted."""
        with self.condition:
            self.records.clear()
            self.request_count = 0
            self.connection_count = self.open_connections
            self.error = None
        self.changed()

    def requests(self) -> tuple[RequestLog, ...]:
        """The requests that are kept, oldest first."""
        with self.condition:
            return tuple(record.freeze() for record in self.records)
