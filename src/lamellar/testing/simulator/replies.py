"""What the simulator can answer: an ordinary answer, an error with a status, and what else stands on its own.

A reply is a small frozen value. It makes the steps that the server plays; faults that change another reply are in
`faults`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Literal

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import Usage
from lamellar.errors import ConfigError, ErrorKind

from .gate import Gate
from .steps import EndOfBody, HangUp, Head, Hold, Part, Pause, Scene, Step, Verbatim, wait, whole
from .wire import Problem

__all__ = ["PLAIN", "Answer", "BadStatusLine", "Empty", "HtmlPage", "Raw", "Redirect", "Reply", "Silence", "Status"]


class Reply(ABC):
    """What the simulator does with one request. Derive from it to play something of your own."""

    __slots__ = ()

    @abstractmethod
    def steps(self, scene: Scene) -> Iterator[Step]:
        """The steps that answer the request of `scene`, made lazily."""

    def choose(self, scene: Scene) -> Reply:
        """The reply that really answers: itself, unless it is a choice between others."""
        return self

    def __str__(self) -> str:
        """Its kind and what was said about it, for the log."""
        said = []
        for option in fields(self) if hasattr(self, "__dataclass_fields__") else ():  # type: ignore[arg-type]
            value = getattr(self, option.name)
            default = option.default if option.default_factory is MISSING else option.default_factory()
            if value != default:
                shown = str(value) if isinstance(value, Reply | ErrorKind) else repr(value)
                said.append(f"{option.name}={shown if len(shown) <= 60 else shown[:57] + '...'}")
        return f"{type(self).__name__}({', '.join(said)})"


def not_negative(owner: object, **values: float | None) -> None:
    """Refuse negative numbers among a reply's options."""
    for name, value in values.items():
        if value is not None and value < 0:
            raise ConfigError(f"{type(owner).__name__}: {name}: expected zero or more, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Reply):
    """An ordinary answer: one body, or a stream where the request asks for one.

    Args:
        text: The text; empty for none.
        reasoning: The reasoning, which comes before the text. Default None.
        tool_calls: Tools the model asks for, after the text.
        usage: The tokens; ``"auto"``, the default, counts the words of the prompt and the chunks of the answer, and
            None reports no usage at all.
        stream_usage: Where a stream tells the usage: ``"asked"`` (in an event of its own, if the request's
            `include_usage` asks for it: OpenAI's way, the default), ``"always"`` (the same, asked or not),
            ``"finish"`` (in the event that finishes, asked or not).
        stop_reason: One of Lamellar's stop reasons, or a word of the provider's own, which is sent as it is. Default
            None: a tool call where there is one, else completed.
        model: The model the answer claims to be from. Default None: the one that was asked.
        chunks: The pieces in which a stream brings the text. Default None: by `chunk_size`.
        chunk_size: Characters in one piece of text, reasoning or arguments. Default None: word by word, arguments by
            twelve characters.
        delay: Seconds before the headers. Default 0.
        first_chunk_delay: Seconds between a stream's headers and its first content. Default 0.
        chunk_delay: Seconds between a stream's content chunks. Default 0.
        gate: Holds the reply before the headers. Default None.
        chunk_gate: Holds a stream before each content chunk. Default None.
        burst: Whether a stream is sent in a single write; by default each event is a write of its own.
        done: Whether a stream ends with its end-of-stream mark (`[DONE]`). Default True.
        headers: Further headers of the response.
    """

    text: str = field(default="The simulator answers, word by word.", kw_only=False)
    reasoning: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    usage: Usage | Literal["auto"] | None = "auto"
    stream_usage: Literal["asked", "always", "finish"] = "asked"
    stop_reason: str | None = None
    model: str | None = None
    chunks: Sequence[str] | None = None
    chunk_size: int | None = None
    delay: float = 0.0
    first_chunk_delay: float = 0.0
    chunk_delay: float = 0.0
    gate: Gate | None = None
    chunk_gate: Gate | None = None
    burst: bool = False
    done: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        not_negative(self, delay=self.delay, first_chunk_delay=self.first_chunk_delay, chunk_delay=self.chunk_delay)
        if self.chunk_size is not None and self.chunk_size < 1:
            raise ConfigError(f"Answer: chunk_size: expected one or more, got {self.chunk_size}")
        object.__setattr__(self, "tool_calls", tuple(self.tool_calls))
        if self.chunks is not None:
            object.__setattr__(self, "chunks", tuple(self.chunks))
            object.__setattr__(self, "text", "".join(self.chunks))

    def steps(self, scene: Scene) -> Iterator[Step]:
        """One body, or a stream."""
        yield from wait(self.delay, self.gate)
        if scene.request.stream:
            yield from self._stream(scene)
        else:
            yield from whole(200, scene.wire.render_json(self, scene.request), self.headers.items())

    def _stream(self, scene: Scene) -> Iterator[Step]:
        headers = (("content-type", scene.wire.stream_type), ("cache-control", "no-cache"), *self.headers.items())
        yield Head(200, headers, flush=not self.burst)
        delay = self.first_chunk_delay
        parts = scene.wire.render_stream(self, scene.request)
        for number, part in enumerate(parts, 1):
            if part.kind == "content":
                yield from wait(delay, self.chunk_gate)
                delay = self.chunk_delay
            # The last is written with the end, so that the log knows of the end before the client does.
            yield Part(part.data, part.kind, flush=not self.burst and number < len(parts))
        yield EndOfBody()


PLAIN = Answer()
"""What a fault changes where nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Reply):
    """An error with an HTTP status. `lamellar.testing.simulator.shorthands` has the usual ones by name.

    What is left out is filled in by the wire format as its provider words it, from `kind` or from `status`.

    Args:
        status: The HTTP status. Default None: the one the provider uses for `kind`.
        kind: What it means, in Lamellar's words.
        type: The error's type, in the provider's words.
        code: The error's code, in the provider's words.
        message: The message.
        param: The request's field that is to blame.
        body: A body to send instead of the provider's error form.
        headers: Further headers, such as ``{"retry-after": "2"}``.
        delay: Seconds before the headers. Default 0.
        gate: Holds the reply before the headers. Default None.
    """

    status: int | None = field(default=None, kw_only=False)
    kind: ErrorKind | None = None
    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    body: bytes | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    gate: Gate | None = None

    def __post_init__(self) -> None:
        not_negative(self, delay=self.delay)
        if self.status is None and self.kind is None:
            raise ConfigError("Status: give a status such as 503, or a kind such as ErrorKind.OVERLOADED")

    def steps(self, scene: Scene) -> Iterator[Step]:
        """The error in one body, whether a stream was asked for or not."""
        yield from wait(self.delay, self.gate)
        problem = Problem(self.kind, self.status, self.type, self.code, self.message, self.param)
        status, body = scene.wire.render_error(problem, scene.request)
        if self.body is not None:
            body = self.body.encode() if isinstance(self.body, str) else self.body
        yield from whole(status, body, self.headers.items())


@dataclass(frozen=True, slots=True)
class Silence(Reply):
    """Accepts the request and never answers; closes after `seconds`.

    Args:
        seconds: How long it stays silent. Default None: until the client leaves.
    """

    seconds: float | None = None

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Nothing, for long."""
        yield Pause(self.seconds)
        yield HangUp("eof")


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty(Reply):
    """A success without content: a finish, no text, no tool call.

    Args:
        usage: Whether it reports usage (a stream does so when it is asked to). Default True.
        delay: Seconds before the headers. Default 0.
    """

    usage: bool = True
    delay: float = 0.0

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of an answer with nothing in it."""
        return Answer("", usage="auto" if self.usage else None, delay=self.delay).steps(scene)


@dataclass(frozen=True, slots=True)
class HtmlPage(Reply):
    """A page for people where JSON belongs, as gateways and captive portals send it.

    Args:
        status: The HTTP status. Default 200, the treacherous one.
        html: The page.
    """

    status: int = 200
    html: str = "<!DOCTYPE html><html><head><title>One moment</title></head><body><h1>Checking</h1></body></html>"

    def steps(self, scene: Scene) -> Iterator[Step]:
        """The page."""
        return whole(self.status, self.html.encode(), content_type="text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Redirect(Reply):
    """Sends the client elsewhere.

    Args:
        location: Where to; a URL or a path.
        status: The HTTP status. Default 307, which repeats the POST.
    """

    location: str
    status: int = 307

    def steps(self, scene: Scene) -> Iterator[Step]:
        """The redirect, without a body."""
        return whole(self.status, b"", (("location", self.location),))


@dataclass(frozen=True, slots=True)
class Raw(Reply):
    """Bytes on the wire, exactly these.

    Args:
        data: The bytes, status line and headers included.
        then: ``"close"`` the connection after them (the default), or ``"hold"`` it open in silence.
        gate: Holds the reply before the bytes. Default None.
    """

    data: bytes
    then: Literal["close", "hold"] = "close"
    gate: Gate | None = None

    def steps(self, scene: Scene) -> Iterator[Step]:
        """The bytes."""
        if self.gate is not None:
            yield Hold(self.gate)
        yield Verbatim(self.data)
        if self.then == "hold":
            yield Pause(None)
        yield HangUp("eof", "completed")


@dataclass(frozen=True, slots=True)
class BadStatusLine(Reply):
    """Something that is not HTTP where the status line belongs, then a close.

    Args:
        line: What is sent.
    """

    line: bytes = b"SSH-2.0-not-http"

    def steps(self, scene: Scene) -> Iterator[Step]:
        """The line, and the close."""
        yield Verbatim(self.line + b"\r\n\r\n")
        yield HangUp("eof")
