"""Faults that end or interrupt another reply. They combine: `Stall(Cut(Answer("…"), after=5), after=2)`.

"After n chunks" counts content: pieces of text, of reasoning and of tool calls, not the opening event. A body that is
not a stream counts as one piece, and "after" any number but zero is its middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from .gate import Gate
from .replies import PLAIN, Reply, not_negative
from .steps import Divided, EndOfBody, HangUp, Head, Hold, Pause, Scene, Step, Verbatim

__all__ = ["BadChunk", "Cut", "Eof", "Reset", "Stall"]


@dataclass(frozen=True, slots=True)
class Cut(Reply):
    """Ends another reply early: no finish, no end-of-stream mark.

    Args:
        reply: What is cut.
        after: After how many content chunks. Default 1.
        how: ``"eof"`` closes the connection within the body, ``"reset"`` resets it, ``"clean"`` ends the body as HTTP
            wants it, so that only the missing finish tells. Default ``"eof"``.
    """

    reply: Reply = PLAIN
    after: int = 1
    how: Literal["eof", "reset", "clean"] = "eof"

    def __post_init__(self) -> None:
        not_negative(self, after=self.after)

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply up to the cut."""
        for step in Divided(self.reply.steps(scene), self.after).before():
            # An announced length would give a clean end away.
            yield replace(step, length=None) if self.how == "clean" and isinstance(step, Head) else step
        yield EndOfBody("cut") if self.how == "clean" else HangUp("reset" if self.how == "reset" else "eof")


@dataclass(frozen=True, slots=True)
class _TooEarly(Reply):
    """Ends the connection before the answer begins, or within it."""

    how: ClassVar[Literal["eof", "reset"]]

    when: Literal["before_headers"] | int = "before_headers"
    reply: Reply = PLAIN

    def steps(self, scene: Scene) -> Iterator[Step]:
        """The end, at its time."""
        if self.when == "before_headers":
            return iter((HangUp(self.how),))
        return Cut(self.reply, self.when, self.how).steps(scene)


class Reset(_TooEarly):
    """Resets the connection (RST).

    Args:
        when: ``"before_headers"``, the default, or after how many content chunks of `reply`.
        reply: What is sent until then.
    """

    __slots__ = ()
    how: ClassVar[Literal["eof", "reset"]] = "reset"


class Eof(_TooEarly):
    """Closes the connection in an orderly way (FIN), but too early.

    Args:
        when: ``"before_headers"``, the default, or after how many content chunks of `reply`.
        reply: What is sent until then.
    """

    __slots__ = ()
    how: ClassVar[Literal["eof", "reset"]] = "eof"


@dataclass(frozen=True, slots=True)
class Stall(Reply):
    """Falls silent within another reply.

    Args:
        reply: What is interrupted.
        after: After how many content chunks. Default 1; 0 is after the headers.
        seconds: How long. Default None: until the client leaves, unless `gate` ends it.
        gate: Ends the silence when it opens; `seconds` then counts from there. Default None.
        then: ``"continue"`` with the rest (the default), ``"close"`` or ``"reset"`` the connection.
    """

    reply: Reply = PLAIN
    after: int = 1
    seconds: float | None = None
    gate: Gate | None = None
    then: Literal["continue", "close", "reset"] = "continue"

    def __post_init__(self) -> None:
        not_negative(self, after=self.after, seconds=self.seconds)

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply with a silence among them."""
        divided = Divided(self.reply.steps(scene), self.after)
        yield from divided.before()
        if self.gate is not None:
            yield Hold(self.gate)
        if self.gate is None or self.seconds:
            yield Pause(self.seconds)
        if self.then == "continue":
            yield from divided.rest()
        else:
            yield HangUp("reset" if self.then == "reset" else "eof")


@dataclass(frozen=True, slots=True)
class BadChunk(Reply):
    """A broken chunk header (of HTTP's chunked coding) within another reply.

    Args:
        reply: What is broken.
        after: After how many content chunks. Default 1.
        then: ``"close"`` the connection (the default), or ``"hold"`` it open in silence.
    """

    reply: Reply = PLAIN
    after: int = 1
    then: Literal["close", "hold"] = "close"

    def __post_init__(self) -> None:
        not_negative(self, after=self.after)

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply up to the broken header."""
        for step in Divided(self.reply.steps(scene), self.after).before():
            yield replace(step, length=None) if isinstance(step, Head) else step
        yield Verbatim(b"not-hexadecimal\r\nlost\r\n")
        if self.then == "hold":
            yield Pause(None)
        yield HangUp("eof")
