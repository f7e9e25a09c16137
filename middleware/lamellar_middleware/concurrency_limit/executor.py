"""The layer: a permit before the call, given back at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.durations import seconds
from lamellar.errors import ConfigError, RejectedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT, walk
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.executor import LlmExecutor
    from lamellar.scope import CallScope

    from .limiter import ConcurrencyLimiter
    from .permit import Permit
    from .spec import ConcurrencyLimit

__all__ = ["ConcurrencyLimitExecutor"]

_LEAST = 0.001
"""Seconds that a wait must leave of a call: a permit at its very end would be wasted."""


class ConcurrencyLimitExecutor(ExecutorWrapper):
    """Lets so many calls through at a time.

    Args:
        inner: The executor to wrap.
        spec: The options.
        limiter: The permits, perhaps shared.
        target: The name of the target this stands in, or None outside of any.
    """

    state_key = "concurrency_limit"

    def __init__(
        self, inner: LlmExecutor, spec: ConcurrencyLimit, limiter: ConcurrencyLimiter, *, target: str | None
    ) -> None:
        super().__init__(inner)
        self.spec = spec
        self.limiter = limiter
        self._target = target or inner.name
        self._place = "the stack" if target is None else f"target '{target}'"

    def check_inside(self) -> None:
        """Refuse a limiter that stands inside once more: a call would hold one of its permits and wait for another.

        The limiters are compared, not their names, so that stacks which were built before are looked into too.

        Raises:
            ConfigError: It does; both places are named.
        """
        for each in walk(self.inner):
            if isinstance(each, ConcurrencyLimitExecutor) and each.limiter is self.limiter:
                raise ConfigError(
                    f"share: '{self.spec.share}' stands twice on one path: {self.spec!r} of {self._place}, and inside "
                    f"of it {each.spec!r} of {each._place}, so a call would wait for itself; take one of the two out, "
                    "or give one of them another name"
                )

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        try:
            permit = self.limiter.take(model, options) or await self._wait(model, options)
        except RejectedError as error:
            self._log(error, model)
            raise
        try:
            result = await operation(self.inner, model, chat_req, options)
        except BaseException as error:
            permit.failed(error)
            raise
        streaming = isinstance(result, LlmEventStream)
        if permit.lane.times:
            permit.lane.answered(permit, streaming=streaming)
        if isinstance(result, LlmEventStream):
            permit.follow(result)
        else:
            permit.succeeded()
        return result

    async def _wait(self, model: str, options: ChatOptions | None) -> Permit:
        """A permit, once it is this call's turn."""
        scope = current_scope()
        call = scope.context if scope is not None else options.call if options is not None else None
        lane, waiter = self.limiter.join(model, options, call.priority if call is not None else 0)
        within, limited_by = self._within(scope)
        began = scope.clock.now() if scope is not None else 0.0
        try:
            return await lane.wait(waiter, within, limited_by)
        finally:
            if scope is not None:
                waited = scope.clock.now() - began
                if waited > 0:
                    scope.note_wait(waited)
                    scope.note("lamellar.ratelimit.wait", waited)

    def _within(self, scope: CallScope | None) -> tuple[float | None, str]:
        """Seconds for which it is worth waiting, or None for any; and what says so."""
        longest = None if self.spec.max_wait is None else seconds(self.spec.max_wait)
        remaining = scope.remaining() if scope is not None else None
        if remaining is None or (longest is not None and longest <= remaining - _LEAST):
            return longest, "max_wait"
        return remaining - _LEAST, "what is left of its time"

    def _log(self, error: RejectedError, model: str) -> None:
        """A try that was refused is on the record like any other."""
        scope = current_scope()
        error.target = self._target
        if scope is not None:
            scope.refused(self._target, self.inner.name, model, error)

    # -- what it is ----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, JsonValue]:
        """Permits in use and calls that wait, in all; with `per`, those of each key too."""
        lanes = dict(self.limiter.lanes())
        if not self.spec.per:
            return lanes["all"].shown()
        return {
            "in_use": sum(lane.in_use for lane in lanes.values()),
            "queued": sum(lane.queued for lane in lanes.values()),
            "keys": {label: lane.shown() for label, lane in lanes.items() if not lane.is_idle()},
        }

    def reset(self) -> None:
        """Put an adaptive limit back to its beginning; permits in use stay in use."""
        for _, lane in self.limiter.lanes():
            lane.reset()
