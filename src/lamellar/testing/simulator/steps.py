"""What a reply consists of: small steps that the server plays one after another. No I/O here.

A reply turns a request into an iterator of steps, and a fault is a change to somebody else's steps: it leaves some
out, adds some, or stops early. So faults combine freely, and each of them can be read and tested without a socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from .gate import Gate
    from .log import RequestLog
    from .wire import WireFormat

__all__ = [
    "Divided",
    "EndOfBody",
    "HangUp",
    "Head",
    "Hold",
    "Outcome",
    "Part",
    "PartKind",
    "Pause",
    "Scene",
    "Step",
    "Verbatim",
    "wait",
    "whole",
]

Outcome: TypeAlias = Literal["completed", "cut", "reset", "client_left", "stopped"]
"""How a reply ended: played to its end, closed or ended early by the script, reset by the script, left by the client,
or ended because the simulator was stopped."""

PartKind: TypeAlias = Literal["opening", "content", "finish", "usage", "done", "heartbeat", "error", "body", "piece"]
"""What a piece of the body is: an event of a stream by what it says, a whole body, or a fragment of either.

Only ``content`` is counted where a fault says "after n chunks"."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a reply may look at when it makes its steps.

    Args:
        request: The request to answer.
        wire: The wire format in which to answer.
        elapsed: Seconds since the simulator started, or was last reset, by the simulator's clock.
    """

    request: RequestLog
    wire: WireFormat
    elapsed: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait; None waits until the client leaves or the simulator stops."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until the gate lets this reply pass."""

    gate: Gate


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the headers.

    Args:
        status: The HTTP status.
        headers: Header fields. Those that frame the body are added by the server.
        length: The body's length in bytes, announced as such; None sends the body in chunks.
        flush: Whether it is written at once, or together with what follows.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    flush: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the body: an event of a stream, or (a piece of) a whole body.

    Args:
        data: Its bytes, without HTTP framing.
        kind: What it is.
        flush: Whether it is written at once, or together with what follows.
    """

    data: bytes
    kind: PartKind = "body"
    flush: bool = True


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Bytes written as they are, past all framing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndOfBody:
    """The body is over, as HTTP understands it; the connection may serve another request."""

    outcome: Outcome = "completed"


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection: ``eof`` in an orderly way (FIN), ``reset`` with a reset (RST)."""

    how: Literal["eof", "reset"] = "eof"
    outcome: Outcome | None = None


Step: TypeAlias = Pause | Hold | Head | Part | Verbatim | EndOfBody | HangUp
"""One thing the server does."""


def wait(seconds: float = 0.0, gate: Gate | None = None) -> Iterator[Step]:
    """Hold at `gate`, if there is one, then wait for `seconds`, if there are any."""
    if gate is not None:
        yield Hold(gate)
    if seconds:
        yield Pause(seconds)


def whole(
    status: int, body: bytes, headers: Iterable[tuple[str, str]] = (), *, content_type: str = "application/json"
) -> Iterator[Step]:
    """A whole answer of known length. A `content-type` among `headers` wins over `content_type`."""
    given = tuple(headers)
    if not any(name.lower() == "content-type" for name, _ in given):
        given = (("content-type", content_type), *given)
    # In one write with the end, so that the log knows of the end before the client does.
    yield Head(status, given, length=len(body), flush=False)
    yield Part(body, flush=False)
    yield EndOfBody()


class Divided:
    """Steps in two pieces: those up to and with the `after`-th content chunk, and the rest.

    With fewer chunks than that the division is before the finish, so a cut always leaves an answer that is not whole.
    With `after=0` it is before the first content. A whole body counts as one: it is divided in its middle, or before
    it with `after=0`.
    """

    __slots__ = ("_after", "_held", "_steps")

    def __init__(self, steps: Iterable[Step], after: int) -> None:
        self._steps = iter(steps)
        self._after = after
        self._held: list[Step] = []

    def before(self) -> Iterator[Step]:
        """The first piece."""
        seen = 0
        for step in self._steps:
            if isinstance(step, Part) and step.kind == "body" and self._after:
                middle = len(step.data) // 2
                self._held.append(Part(step.data[middle:]))
                yield Part(step.data[:middle])
                return
            content = isinstance(step, Part) and step.kind == "content"
            passes = not isinstance(step, Part | EndOfBody) or (
                isinstance(step, Part) and step.kind in {"opening", "heartbeat", "piece"}
            )
            if not passes and not (content and seen < self._after):
                self._held.append(step)
                return
            yield step
            seen += content
            if content and seen == self._after:
                return

    def rest(self) -> Iterator[Step]:
        """The second piece; ask for it when the first has been used up."""
        yield from self._held
        yield from self._steps
