"""Plays the steps of one reply on one connection, without a task of its own: a step that waits leaves a callback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from .gate import Gate
from .http import RawRequest, render_head
from .log import Log, Record
from .steps import EndOfBody, HangUp, Head, Hold, Outcome, Part, Pause, Step, Verbatim

__all__ = ["Player", "Stage"]

_BEFORE_RESET = 0.01
"""Seconds between the last byte and a reset: on some systems a reset discards what the client has not read yet."""


class Stage(Protocol):
    """The connection, as the player needs it."""

    loop: asyncio.AbstractEventLoop
    blocked: bool

    @property
    def gone(self) -> bool:
        """Whether nothing can be sent any more; `Player.leave` follows, or has come."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send."""

    def hang_up(self, *, reset: bool) -> None:
        """Close, orderly or with a reset."""

    def reply_over(self, *, keep_alive: bool) -> None:
        """The reply is over; the connection may go on."""


class Player:
    """One reply being played.

    Args:
        stage: The connection.
        request: The request that is answered.
        record: Its record.
        log: Where the record stands.
        steps: What to play.
    """

    def __init__(self, stage: Stage, request: RawRequest, record: Record, log: Log, steps: Iterator[Step]) -> None:
        self._stage = stage
        self._record = record
        self._log = log
        self._steps = steps
        self._http11 = request.version == "HTTP/1.1"
        self._keep_alive = request.keep_alive
        self._with_body = request.method != "HEAD"
        self._chunked = False
        self._pending: list[bytes] = []
        self._timer: asyncio.Handle | None = None
        self._held: tuple[Gate, Callable[[], None]] | None = None
        self._waiting = False
        self._running = False
        self._over = False

    def advance(self) -> None:
        """Play on, until a step waits, the client's window is full, the client has left, or the reply is over."""
        if self._running or self._waiting or self._over:
            return
        self._running = True
        try:
            while not (self._stage.blocked or self._stage.gone or self._waiting or self._over):
                self._play(next(self._steps, None) or HangUp("eof"))
        except Exception as error:
            # A reply of the user's own is broken: nothing sensible can follow on this connection.
            self._log.error = self._log.error or error
            self._hang_up("reset", "reset")
        finally:
            self._running = False
        self._log.changed()

    def leave(self, outcome: Outcome) -> None:
        """The connection is gone."""
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._held is not None:
            gate, wake = self._held
            gate.leave(wake)
        self._log.ended(self._record, outcome)

    def _play(self, step: Step) -> None:
        match step:
            case Part(data, kind, flush):
                self._record.chunks_sent += kind == "content"
                if self._with_body:
                    self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data, flush=flush)
            case Head():
                self._chunked = step.length is None and self._http11
                # Without a length and without chunks only the end of the connection tells the end of the body.
                self._keep_alive = self._keep_alive and (self._chunked or step.length is not None)
                self._record.status = step.status
                number = self._record.arrived.number
                head = render_head(step, chunked=self._chunked, close=not self._keep_alive, number=number)
                self._send(head, flush=step.flush)
            case EndOfBody(outcome):
                self._send(b"0\r\n\r\n" if self._chunked and self._with_body else b"", flush=False)
                self._end(outcome)
                self._stage.reply_over(keep_alive=self._keep_alive)
            case Pause(seconds):
                self._send(b"")
                self._waiting = True
                if seconds is not None:
                    self._timer = self._stage.loop.call_later(seconds, self._wake)
            case Hold(gate):
                self._send(b"")
                wake = self._wake_from_elsewhere
                if not gate.enter(wake):
                    self._waiting = True
                    self._held = (gate, wake)
            case Verbatim(data):
                self._send(data)
            case HangUp(how, outcome):
                self._hang_up(how, outcome or ("reset" if how == "reset" else "cut"))

    def _send(self, data: bytes, *, flush: bool = True) -> None:
        if data:
            self._pending.append(data)
            self._record.bytes_sent += len(data)
        if flush and self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            self._stage.write(data)

    def _end(self, outcome: Outcome) -> None:
        """The reply is over: so says the log before the client can see it."""
        self._over = True
        self._log.ended(self._record, outcome)
        self._send(b"")

    def _hang_up(self, how: str, outcome: Outcome) -> None:
        self._end(outcome)
        if how != "reset":
            self._stage.hang_up(reset=False)
        elif self._record.bytes_sent:
            self._stage.loop.call_later(_BEFORE_RESET, lambda: self._stage.hang_up(reset=True))
        else:
            self._stage.hang_up(reset=True)

    def _wake(self) -> None:
        self._waiting = False
        self._timer = None
        self._held = None
        self.advance()

    def _wake_from_elsewhere(self) -> None:
        """A gate opened, in whatever thread."""
        try:
            self._stage.loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # the loop is closed: the simulator has stopped meanwhile
            return
