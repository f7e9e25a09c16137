"""Reading an event stream of JSON payloads: what every dialect that streams so has in common.

Bytes become events, events become JSON, and what is not either is told apart: an error, a mark of the end, an answer
in one piece, a stream that was cut, a body that is nothing of the kind. A dialect says what a payload means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from pydantic_core import from_json

from ..chat.events import End, Progress, Start, StreamEvent
from ..errors import ExecutorError
from .error_bodies import malformed, not_an_object, parse_error, truncated
from .names import name_of
from .sse import MAX_EVENT_BYTES, SSEDecoder, SSEEvent
from .unstreamed import Unstreamed

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..chat.content import ContentPart
    from ..chat.response import ChatResponse, StopReason
    from ..chat.usage import Usage
    from .wire import Exchange

__all__ = ["STATUS", "EventDecoder", "EventStreamParser", "Events"]

Events: TypeAlias = list[StreamEvent | Progress]

STATUS = 200
"""An error in-band keeps the status it came under."""

_DONE = b"[DONE]"


class EventDecoder(Protocol):
    """Turns bytes, in whatever pieces they arrive, into events with a JSON payload; one per stream."""

    @property
    def overflow(self) -> bool:
        """Whether an event was longer than the bound; nothing more is decoded then."""
        raise NotImplementedError

    def feed(self, data: bytes) -> list[SSEEvent]:
        """The events that `data` completes, in order."""
        raise NotImplementedError

    def finish(self) -> list[SSEEvent]:
        """The event that was left without its end, if there is one."""
        raise NotImplementedError


class EventStreamParser(ABC):
    """The part of a `StreamParser` that is the same for every dialect of events with a JSON payload.

    Args:
        exchange: What is known of the request.
        headers: The response's headers.
        sse: The decoder, where it is not that of plain server-sent events.
    """

    signal: ClassVar[str] = "finish reason"
    """What the provider's finish signal is called, in the message about a stream without one."""

    def __init__(self, exchange: Exchange, headers: Mapping[str, str], sse: EventDecoder | None = None) -> None:
        self.error: ExecutorError | None = None
        self.ended = False
        self.finishing = False
        self._stopped = False  # nothing more is read: ended, or failed
        self._started = False
        self._model: str | None = None
        self._response_id: str | None = None
        self._exchange = exchange
        self._headers = headers
        self._sse: EventDecoder = sse or SSEDecoder()
        self._before: Unstreamed | None = Unstreamed()  # until the first event

    # -- what a dialect says -------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""

    @abstractmethod
    def _payload(self, name: str | None, payload: object, data: bytes, out: Events) -> None:
        """One event's JSON; its events go to `out`, what is wrong with it to `_fail`."""

    @abstractmethod
    def _end(self, out: Events) -> None:
        """The answer is whole: its `End`."""

    @abstractmethod
    def _whole(self, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        """An answer in one piece, where a stream was asked for."""

    def _came_whole(self, end: End) -> None:  # noqa: B027 -- only some keep anything of it
        """The answer came in one piece, and ended so."""

    # -- what is the same ----------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> Events:
        """The events that `data` completes, in order."""
        out: Events = []
        if not self._stopped:
            found = self._sse.feed(data)
            if self._before is not None:
                self._before = None if found else self._before.kept(data)
            self._read(found, out, whole=True)
            if self._sse.overflow and not self._over():
                self._fail(malformed(self._exchange, STATUS, f"an event is longer than {MAX_EVENT_BYTES} bytes"))
        return out

    def finish(self) -> Events:
        """The rest of the events: with `End` when the finish signal had come, else `error` is set."""
        out: Events = []
        if self._stopped:
            return out
        found = self._sse.finish()
        self._read(found, out, whole=False)
        if self._over():
            return out
        if self.finishing:
            self._end(out)
        elif self._before is not None and not found:
            self._not_streamed(self._before, out)
        else:
            self._cut("the stream ended")
        return out

    def _over(self) -> bool:
        return self._stopped

    def _read(self, found: list[SSEEvent], out: Events, *, whole: bool) -> None:
        for name, data in found:
            try:
                payload = from_json(data)
            except ValueError:
                self._unreadable(name, data, out, whole=whole)
            else:
                self._payload(name, payload, data, out)
            if self._stopped:
                return

    def _unreadable(self, name: str | None, data: bytes, out: Events, *, whole: bool) -> None:
        """An event that is not JSON: malformed, unless the bytes ended in the middle of it."""
        text = data.strip()
        if text == _DONE:
            if self.finishing:
                self._end(out)
            else:
                self._cut("the stream said [DONE]")
        elif not text:
            return
        elif name == "error":
            self._fail(parse_error(self._exchange, STATUS, self._headers, data))
        elif whole:
            self._fail(malformed(self._exchange, STATUS, "an event is not JSON", data))
        elif not self.finishing:
            self._fail(truncated(self._exchange, STATUS, "the stream ended in the middle of an event"))

    def _not_streamed(self, before: Unstreamed, out: Events) -> None:
        """The server answered with something else than events: a JSON body is an answer or an error all the same."""
        try:
            events = before.events(self._exchange, STATUS, self._headers, self._parse)
        except ExecutorError as error:
            self._fail(error.with_traceback(None))  # its frames would hold the parser, and the parser the error
            return
        if events is None:
            self._fail(truncated(self._exchange, STATUS, "the stream ended before its first event"))
            return
        self.ended = self._stopped = True
        out.extend(events)
        end = events[-1]
        if isinstance(end, End):
            self._came_whole(end)

    def _parse(self, exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return self._whole(headers, body)

    def _cut(self, what: str) -> None:
        """The stream is over before the answer is."""
        self._fail(truncated(self._exchange, STATUS, f"{what} without a {self.signal}"))

    def _begin(self, model: object, response_id: object, out: Events) -> None:
        """The stream's `Start`, once; what is no name is none."""
        if self._started:
            return
        self._started = True
        self._model, self._response_id = name_of(model), name_of(response_id)
        out.append(
            Start(
                model=self._exchange.model,
                provider=self._exchange.provider,
                provider_model=self._model,
                response_id=self._response_id,
            )
        )

    def _finished(
        self, reason: StopReason | None, content: tuple[ContentPart, ...], raw: JsonValue, out: Events
    ) -> None:
        """The stream's `End`, and with it the stream is over."""
        self.ended = self._stopped = True
        out.append(
            End(
                stop_reason=reason,
                usage=self.usage,
                content=content,
                response_id=self._response_id,
                provider_model=self._model,
                raw=raw,
            )
        )

    def _fail_as_no_object(self, payload: object, data: bytes) -> None:
        """A payload of a type that no event has."""
        self._fail(not_an_object(self._exchange, STATUS, "an event", payload, data))

    def _fail(self, error: ExecutorError) -> None:
        self.error = error
        self._stopped = True
