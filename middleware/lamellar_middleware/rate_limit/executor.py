"""The layer: reserve before the call, settle after it, and pause when the provider asks for it."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, cast

from lamellar.chat.events import Start
from lamellar.durations import seconds
from lamellar.errors import ErrorKind, ExecutorError, RejectedError, StreamInterruptedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

from ..keyed import key_of
from ..shared import NEVER_CONNECTED, call_hook
from .estimate import estimated_tokens
from .spec import RateLimitEvent

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.usage import Usage
    from lamellar.executor import LlmExecutor
    from lamellar.scope import CallScope
    from lamellar.source import Finish, FinishCallback

    from .lane import Lane
    from .limiter import Key, RateLimiter
    from .reservation import Reservation
    from .spec import RateLimit
    from .waiting import Waiter

__all__ = ["RateLimitExecutor"]

_logger = logging.getLogger("lamellar.rate_limit")

_LEAST = 0.001
"""Seconds that a wait must leave of a call: a grant at its very end would be wasted."""

_REFUSED_BEFORE = frozenset(
    {
        ErrorKind.CIRCUIT_OPEN,
        ErrorKind.LIMITER_DEADLINE,
        ErrorKind.QUEUE_FULL,
        ErrorKind.POOL_EXHAUSTED,
        ErrorKind.BUDGET,
        ErrorKind.CACHE_MISS,
    }
)
"""Refusals that come before a request is sent; the others may come after it."""

_NEVER_SENT = frozenset({"unsupported", "context_window"})
"""Codes of a request that was refused before it was sent, where no status stands beside them: the provider cannot
serve it."""


class RateLimitExecutor(ExecutorWrapper):
    """Lets calls through as the limiter allows.

    Args:
        inner: The executor to wrap.
        spec: The options.
        limiter: The limiter, perhaps shared.
        target: The name of the target this stands in, or None outside of any.
    """

    def __init__(self, inner: LlmExecutor, spec: RateLimit, limiter: RateLimiter, target: str | None) -> None:
        super().__init__(inner)
        self.spec = spec
        self.limiter = limiter
        self._target = target
        self._counts_tokens = limiter.counts_tokens

    @property
    def state_key(self) -> str:
        """``rate_limit``."""
        return "rate_limit"

    def state(self) -> dict[str, JsonValue]:
        """For each key in use: how many wait, for how long it is paused, and how much of each limit is used."""
        return cast("dict[str, JsonValue]", self.limiter.levels())

    def reset(self) -> None:
        """Lift every pause; what was used of the limits stays used."""
        self.limiter.resume()

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        tokens = self._estimate(model, chat_req, options) if self._counts_tokens else 0
        try:
            lane = self.limiter.lane(self._key(model, options) if self.spec.per else ())
            reservation = lane.take(tokens) or await self._wait(lane, tokens, model)
        except RejectedError as error:
            self._log(error, model)
            raise
        try:
            result = await operation(self.inner, model, chat_req, options)
        except BaseException as error:
            _failed(reservation, error)
            raise
        if isinstance(result, LlmEventStream):
            result.on_finish(_settling(reservation, result))
        elif result.cached:
            reservation.refund()
        else:
            _settle(reservation, result.usage)
        return result

    async def _wait(self, lane: Lane, tokens: int, model: str) -> Reservation:
        """A reservation, once it is this call's turn; the wait is told to whoever watches."""
        scope = current_scope()
        hook = self.spec.on_wait
        waiter = lane.join(tokens, self._within(scope), forecast=hook is not None)

        def told(waiter: Waiter) -> None:
            event = RateLimitEvent(waiter.wait, waiter.limit, waiter.before, tokens, model, self.inner.name)
            call_hook(hook, event, "on_wait", _logger)

        began = self.limiter.now()
        try:
            return await lane.turn(waiter, told if hook is not None else None)
        finally:
            waited = self.limiter.now() - began
            if scope is not None:
                scope.note_wait(waited)
                scope.note("lamellar.ratelimit.wait", waited)

    def _within(self, scope: CallScope | None) -> float | None:
        """Seconds for which it is worth waiting, or None for any."""
        longest = None if self.spec.max_wait is None else seconds(self.spec.max_wait)
        remaining = scope.remaining() if scope is not None else None
        if remaining is None:
            return longest
        return remaining - _LEAST if longest is None else min(longest, remaining - _LEAST)

    def _log(self, error: RejectedError, model: str) -> None:
        """A try that was refused is on the record like any other."""
        scope = current_scope()
        error.target = self._target
        if scope is not None:
            scope.refused(self._target or self.inner.name, self.inner.name, model, error)

    def _key(self, model: str, options: ChatOptions | None) -> Key:
        return key_of(self.spec.per, model, options.call if options is not None else None)

    def _estimate(self, model: str, chat_req: ChatRequest, options: ChatOptions | None) -> int:
        if self.spec.estimate is not None:
            try:
                return max(0, int(self.spec.estimate(model, chat_req, options)))
            except Exception:  # a guess that cannot be made is no reason not to ask
                _logger.exception("the estimate of tokens failed; the built-in one is used")
        return estimated_tokens(chat_req, options, self.spec.default_output_tokens)


def _settling(reservation: Reservation, stream: LlmEventStream) -> FinishCallback:
    """What settles a reservation when its stream has ended. It does not keep the stream alive."""
    held = weakref.ref(stream)
    if any(isinstance(event, Start) and event.cached for event in stream.peek()):
        return lambda finish: reservation.refund()

    def ended(finish: Finish) -> None:
        if finish.error is not None:
            _failed(reservation, finish.error)
        elif finish.end is not None:
            _settle(reservation, finish.end.usage)
        else:
            left = held()
            _settle(reservation, left.usage if left is not None else None)

    return ended


def _failed(reservation: Reservation, error: BaseException) -> None:
    """The call failed: what it has cost as far as is known, and a pause if the provider asked for one."""
    if isinstance(error, ExecutorError) and error.kind is ErrorKind.RATE_LIMITED and error.retry_after is not None:
        reservation.lane.pause(error.retry_after)
    if _never_left(error):
        reservation.refund()
    else:
        _settle(reservation, error.usage if isinstance(error, StreamInterruptedError) else None)


def _never_left(error: BaseException) -> bool:
    if isinstance(error, RejectedError):
        return error.kind in _REFUSED_BEFORE
    if not isinstance(error, ExecutorError) or isinstance(error, StreamInterruptedError):
        return False
    if error.status is None and error.code in _NEVER_SENT:
        return True
    return error.kind is ErrorKind.CONNECTION and error.code in NEVER_CONNECTED


def _settle(reservation: Reservation, usage: Usage | None) -> None:
    """The tokens of prompt and answer, the provider's cached ones included; the estimate where they are unknown."""
    if usage is not None and usage.prompt_tokens is not None and usage.completion_tokens is not None:
        reservation.settle(usage.prompt_tokens + usage.completion_tokens)
    elif usage is not None and usage.total_tokens is not None:
        reservation.settle(usage.total_tokens)
    else:
        reservation.keep()
