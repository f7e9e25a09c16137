"""Faults that change what another reply says. They combine: `SlowBody(Garbage(Answer("…"), at=2), size=7)`.

"After n chunks" counts content: pieces of text, of reasoning and of tool calls, not the opening event. What changes
bytes (`Gzip`, `SlowBody`) stands outermost.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lamellar.errors import ConfigError, ErrorKind

from .replies import PLAIN, Reply, not_negative
from .steps import Divided, EndOfBody, HangUp, Head, Part, Pause, Scene, Step, whole
from .wire import HeartbeatKind, Problem

__all__ = ["Garbage", "Gzip", "Heartbeats", "InBandError", "NoDone", "SlowBody"]


@dataclass(frozen=True, slots=True)
class Garbage(Reply):
    """One content event of another reply is not valid JSON; the rest is fine.

    Args:
        reply: What is spoilt. A body that is not a stream is spoilt as a whole.
        at: Which content event, from 1. Default 1.
        data: What is sent in its place. Default None: the event itself, broken off in its middle.
    """

    reply: Reply = PLAIN
    at: int = 1
    data: bytes | None = None

    def __post_init__(self) -> None:
        if self.at < 1:
            raise ConfigError(f"Garbage: at: events are counted from 1, got {self.at}")

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply, one of them spoilt."""
        seen = 0
        for step in self.reply.steps(scene):
            if isinstance(step, Head) and self.data is not None:
                yield replace(step, length=None)  # the length is no longer what was announced
                continue
            if isinstance(step, Part) and step.kind in {"content", "body"}:
                seen += 1
                if seen == self.at or step.kind == "body":
                    yield replace(step, data=self._spoil(step))
                    continue
            yield step

    def _spoil(self, part: Part) -> bytes:
        if self.data is not None:
            return self.data
        text = part.data.rstrip()
        # Broken off where no character is: the fault is bad JSON, not bad UTF-8.
        broken = text[: len(text) * 2 // 3].decode(errors="ignore").encode()
        return broken.ljust(len(part.data)) if part.kind == "body" else broken + part.data[len(text) :]


@dataclass(frozen=True, slots=True)
class InBandError(Reply):
    """An error under HTTP 200: an event of the stream, or the whole body.

    Args:
        reply: What is sent before the error.
        after: After how many content chunks. Default 0: the error is the very first event.
        kind: What it means, in Lamellar's words. Default `overloaded`.
        type: The error's type, in the provider's words. Default None: the provider's for `kind`.
        code: The error's code, in the provider's words. Default None: the provider's for `kind`.
        message: The message. Default None: the provider's for `kind`.
        named: Whether the event is named (`event: error`), where the wire format leaves a choice. Default False.
        done: Whether the end-of-stream mark follows. Default False.
    """

    reply: Reply = PLAIN
    after: int = 0
    kind: ErrorKind = ErrorKind.OVERLOADED
    type: str | None = None
    code: str | None = None
    message: str | None = None
    named: bool = False
    done: bool = False

    def __post_init__(self) -> None:
        not_negative(self, after=self.after)

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply up to the error, and the error."""
        problem = Problem(self.kind, None, self.type, self.code, self.message)
        if not scene.request.stream:
            yield from self._in_body(scene, problem)
            return
        for step in Divided(self.reply.steps(scene), self.after).before():
            if self.after or not isinstance(step, Part):
                yield step
        yield replace(scene.wire.render_error_event(problem, scene.request, named=self.named), flush=False)
        mark = scene.wire.render_done(scene.request) if self.done else None
        if mark is not None:
            yield replace(mark, flush=False)
        yield EndOfBody()

    def _in_body(self, scene: Scene, problem: Problem) -> Iterator[Step]:
        for step in self.reply.steps(scene):
            if isinstance(step, Head):
                yield from whole(step.status, scene.wire.render_error(problem, scene.request)[1], step.headers)
                return
            yield step  # its delays


@dataclass(frozen=True, slots=True)
class NoDone(Reply):
    """A stream that is complete, finish and usage included, but lacks the end-of-stream mark (`[DONE]`).

    Args:
        reply: The stream.
        then: ``"end"`` ends the body as HTTP wants it (the default), ``"hold"`` keeps it open in silence,
            ``"close"`` closes the connection without ending it.
    """

    reply: Reply = PLAIN
    then: Literal["end", "hold", "close"] = "end"

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply but one."""
        for step in self.reply.steps(scene):
            if isinstance(step, Part) and step.kind == "done":
                continue
            if isinstance(step, EndOfBody) and scene.request.stream and self.then != "end":
                if self.then == "hold":
                    yield Pause(None)
                yield HangUp("eof", "completed")
                return
            yield step


@dataclass(frozen=True, slots=True)
class Heartbeats(Reply):
    """Signs of life without content for a while, within another reply.

    Args:
        reply: What is interrupted.
        seconds: For how long. Default None: until the client leaves.
        every: Seconds between two of them. Default 1.
        kind: ``"comment"`` (an SSE comment, the default), ``"role"`` (the opening event again) or ``"blank"`` (an
            empty line). A body that is not a stream is always preceded by blank lines.
        after: After how many content chunks. Default 0.
    """

    reply: Reply = PLAIN
    seconds: float | None = None
    every: float = 1.0
    kind: HeartbeatKind = "comment"
    after: int = 0

    def __post_init__(self) -> None:
        not_negative(self, after=self.after, seconds=self.seconds)
        if self.every <= 0:
            raise ConfigError(f"Heartbeats: every: expected more than zero seconds, got {self.every}")

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply with the heartbeats among them."""
        stream = scene.request.stream
        divided = Divided(self.reply.steps(scene), self.after if stream else 0)
        for step in divided.before():
            yield step if stream or not isinstance(step, Head) else replace(step, length=None)
        beat = scene.wire.render_heartbeat(self.kind, scene.request) if stream else Part(b"\n", "heartbeat")
        left = None if self.seconds is None else round(self.seconds / self.every)
        while left is None or left > 0:
            yield replace(beat, flush=True)
            yield Pause(self.every)
            left = None if left is None else left - 1
        yield from divided.rest()


@dataclass(frozen=True, slots=True)
class Gzip(Reply):
    """Sends another reply's body compressed, whether the client asked for it or not; each event can be read at once.

    Args:
        reply: What is compressed.
    """

    reply: Reply = PLAIN

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply, its body compressed."""
        squeeze = zlib.compressobj(wbits=31)
        for step in self.reply.steps(scene):
            match step:
                case Head():
                    yield replace(step, length=None, headers=(*step.headers, ("content-encoding", "gzip")))
                case Part():
                    yield replace(step, data=squeeze.compress(step.data) + squeeze.flush(zlib.Z_SYNC_FLUSH))
                case EndOfBody():
                    yield Part(squeeze.flush(), "piece")
                    yield step
                case _:
                    yield step


@dataclass(frozen=True, slots=True)
class SlowBody(Reply):
    """Sends another reply's body in small writes, across the bounds of events and characters.

    Args:
        reply: What is sent.
        size: Bytes in one write. Default 1.
        every: Seconds between two writes. Default 0.
    """

    reply: Reply = PLAIN
    size: int = 1
    every: float = 0.0

    def __post_init__(self) -> None:
        not_negative(self, every=self.every)
        if self.size < 1:
            raise ConfigError(f"SlowBody: size: expected one byte or more, got {self.size}")

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply, its body in pieces."""
        for step in self.reply.steps(scene):
            if not isinstance(step, Part):
                yield step
                continue
            for start in range(0, len(step.data), self.size):
                # A turn of the loop at least, or the writes would reach the client as one.
                yield Pause(self.every)
                piece = step.data[start : start + self.size]
                last = start + self.size >= len(step.data)
                # Counted as content with its last piece.
                yield replace(step, data=piece) if last else Part(piece, "piece")
