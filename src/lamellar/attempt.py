"""The innermost plate, put by `build()` round every leaf: one attempt at one target.

It enforces the limits of an attempt, waits for the commit point, keeps the attempt's record, and turns whatever a leaf
raises into the one error tree. What comes out of it obeys the stream contract, whatever the leaf is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar, cast

from .accumulate import Accumulator
from .call import Outcome
from .chat.events import Chunk, End, Progress, ReasoningChunk, Start, StreamEvent, ToolCallChunk
from .clock import Watchdog
from .errors import (
    ErrorKind,
    ExecutorError,
    LamellarError,
    RejectedError,
    StreamClosedError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from .executor import ExecutorWrapper, Operation, ResultT, respond
from .scope import CallScope, current_scope, use_scope
from .source import Finish, InnerSource
from .stream import LlmEventStream

if TYPE_CHECKING:
    from .chat.options import ChatOptions
    from .chat.request import ChatRequest
    from .chat.response import ChatResponse
    from .executor import LlmExecutor

__all__ = ["Attempt", "AttemptLimits"]

P = ParamSpec("P")
T = TypeVar("T")


class AttemptLimits(NamedTuple):
    """The limits of one attempt, in seconds of waiting for the provider; None is no limit.

    Args:
        connect: Until the connection stands. The leaf's transport enforces it.
        attempt: The whole attempt.
        first_content: Until the first content event of a stream.
        idle: Between two events of a stream that are content or progress.
    """

    connect: float | None = 10.0
    attempt: float | None = None
    first_content: float | None = None
    idle: float | None = None


class Attempt(ExecutorWrapper):
    """One attempt at one leaf.

    Args:
        inner: The leaf.
        target: The name of the target, for the record.
        limits: The limits of the attempt.
    """

    def __init__(self, inner: LlmExecutor, target: str, limits: AttemptLimits) -> None:
        super().__init__(inner)
        self.target = target
        self.limits = limits

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        scope = current_scope()
        if scope is None:  # a leaf that is used outside of a built stack
            return await operation(self.inner, model, chat_req, options)
        watch = _Watch(self, scope, model, streaming=operation is not respond)
        try:
            with use_scope(scope.for_attempt(watch.live)):
                result = await watch.wait(
                    respond if operation is respond else _accept, self.inner, model, chat_req, options
                )
        except BaseException as error:
            told = watch.fail(error)
            if told is error:
                raise
            raise told from told.__cause__
        if not isinstance(result, LlmEventStream):
            watch.complete(result)
            return cast("ResultT", result)  # it was `respond`
        stream = LlmEventStream(AttemptSource(result, watch))
        stream.on_finish(watch.ended)
        await stream.ready()
        return cast("ResultT", stream)


async def _accept(
    executor: LlmExecutor, model: str, chat_req: ChatRequest, options: ChatOptions | None, /
) -> LlmEventStream:
    """The leaf's stream as soon as it is accepted; its commit point is awaited under the attempt's own limits."""
    return LlmEventStream.of(await executor.exec_chat_stream_events(model, chat_req, options))


class _Watch:
    """One attempt's limits and record."""

    __slots__ = (
        "_left",
        "committed",
        "idle_for",
        "limits",
        "live",
        "paused_long",
        "scope",
        "spent",
        "streaming",
        "watchdog",
    )

    def __init__(self, attempt: Attempt, scope: CallScope, model: str, *, streaming: bool) -> None:
        self.limits = attempt.limits
        self.scope = scope
        self.streaming = streaming
        self.watchdog = Watchdog(scope.clock)
        self.live = scope.begin_attempt(attempt.target, attempt.inner.name, model)
        self.committed = False
        self.spent = 0.0
        self.idle_for = 0.0
        self.paused_long = False
        self._left: float | None = None

    async def wait(self, operation: Callable[P, Awaitable[T]], *call: P.args, **named: P.kwargs) -> T:
        """One wait for the provider, under whatever limit is nearest."""
        clock, watchdog = self.scope.clock, self.watchdog
        began = clock.now()
        if self._left is not None and self.limits.idle is not None and began - self._left > self.limits.idle:
            self.paused_long = True
        allowed, limit = self._nearest()
        watchdog.arm(None if allowed is None else began + allowed)
        stopwatch = self.scope.stopwatch
        stopwatch.start()
        try:
            return await operation(*call, **named)
        except asyncio.CancelledError:
            if watchdog.expired():
                raise self._timeout(limit) from None
            raise
        finally:
            stopwatch.stop()
            watchdog.disarm()
            self._left = now = clock.now()
            self.spent += now - began
            self.idle_for += now - began

    def _nearest(self) -> tuple[float | None, str]:
        """Seconds this wait may last, and the name of the limit that says so."""
        limits = self.limits
        allowed, name = None, ""
        if limits.attempt is not None:
            allowed, name = limits.attempt - self.spent, "attempt"
        if self.streaming:
            bound = limits.idle if self.committed else limits.first_content
            if bound is not None and (allowed is None or bound - self.idle_for < allowed):
                allowed, name = bound - self.idle_for, "idle" if self.committed else "first_content"
        if self.committed:
            left = self.scope.until_deadline()
            if left is not None and (allowed is None or left < allowed):
                allowed, name = left, "deadline"
        return allowed, name

    def _timeout(self, limit: str) -> LamellarError:
        if limit == "deadline":
            return RejectedError(ErrorKind.DEADLINE, "the call's deadline passed while its answer was arriving")
        seconds: float = getattr(self.limits, limit)
        what = {
            "attempt": "the attempt was not over",
            "first_content": "no content came",
            "idle": "nothing more came",
        }[limit]
        return ExecutorError(
            ErrorKind.TIMEOUT,
            f"{what} within {seconds:g} s (limit `{limit}`)",
            provider=self.live.provider,
            model=self.live.model,
            code=limit,
        )

    def classify(self, error: Exception) -> LamellarError:
        """Any exception of a leaf as one of our tree."""
        if isinstance(error, LamellarError):
            if isinstance(error, ExecutorError):
                error.provider = error.provider or self.live.provider
                error.model = error.model or self.live.model
                if self.paused_long and error.kind in (ErrorKind.CONNECTION, ErrorKind.TRUNCATED):
                    error.counts_against_health = False  # the consumer let it go stale, not the provider
            return error
        from .secrets import scrub

        told = ExecutorError(
            ErrorKind.SERVER_ERROR,
            scrub(f"{type(error).__name__}: {error}")[:1000],
            provider=self.live.provider,
            model=self.live.model,
            code="unexpected_exception",
            retryable=False,
        )
        told.__cause__ = error
        return told

    def fail(self, error: BaseException) -> BaseException:
        """The attempt is over before anything was delivered; the error to raise."""
        told = self.classify(error) if isinstance(error, Exception) else error
        if isinstance(told, StreamTruncatedError) and told.partial:
            told = StreamTruncatedError(told.cause)  # nothing of it was delivered
        if isinstance(told, StreamClosedError):
            self.ended(Finish(Outcome.ABANDONED))
        elif isinstance(told, LamellarError):
            self.ended(Finish(Outcome.FAILED, told))
        else:
            self.ended(Finish(Outcome.CANCELLED))
        return told

    def complete(self, response: ChatResponse) -> None:
        """A whole answer came."""
        self.live.usage = response.usage
        self.live.nested = response.attempts
        self.ended(Finish(Outcome.COMPLETED))

    def ended(self, finish: Finish) -> None:
        """Close the record; the stream's finish callback too."""
        self.watchdog.close()
        live = self.live
        live.outcome = finish.outcome
        live.latency = self.spent
        if finish.end is not None:
            live.usage = finish.end.usage
        if finish.error is not None:
            live.blame(finish.error)
            live.nested = getattr(finish.error, "attempts", ())


class AttemptSource(InnerSource):
    """A leaf's stream under the attempt's limits, in the order of the contract, with its interruptions told."""

    __slots__ = ("_gathered", "_held", "_over", "_start", "_watch")

    def __init__(self, inner: LlmEventStream, watch: _Watch) -> None:
        super().__init__(inner)
        self._watch = watch
        self._gathered = Accumulator()
        self._start = Start(watch.live.model, watch.live.provider, target=watch.live.target)
        self._held: list[StreamEvent | Progress] = []
        self._over = False

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The leaf's next events that a consumer may see."""
        if self._over:
            raise StreamTruncatedError
        watch = self._watch
        while True:
            try:
                batch = await watch.wait(self.inner.read_batch)
            except StopAsyncIteration:
                raise self._broken(StreamTruncatedError()) from None
            except StreamClosedError:
                raise
            except Exception as error:
                told = self._broken(watch.classify(error))
                raise told from (told.cause if isinstance(told, StreamInterruptedError) else told.__cause__)
            visible = self._observe(batch)
            if visible:
                return visible

    def _observe(self, batch: Sequence[StreamEvent | Progress]) -> list[StreamEvent | Progress]:
        """Keep the clocks, gather the partial, and let through what the contract allows."""
        watch, gathered = self._watch, self._gathered
        visible: list[StreamEvent | Progress] = []
        alive = False
        for event in batch:
            kind = event.__class__
            if kind is Chunk or kind is ReasoningChunk:
                if not event.content:  # type: ignore[union-attr]
                    continue
            elif kind is Start:
                self._meet(event)  # type: ignore[arg-type]
                continue
            elif kind is Progress:
                alive = True
                continue
            elif kind is End:
                self._commit(visible)
                visible.append(self._ending(event))  # type: ignore[arg-type]
                self._over = True
                return visible
            alive = True
            if not watch.committed:
                if kind not in _CONTENT:  # a signature: no content yet, and nothing may come before `Start`
                    self._held.append(event)
                    continue
                self._commit(visible)
            gathered.add(event)  # type: ignore[arg-type]
            visible.append(event)
        if alive:
            watch.idle_for = 0.0
        return visible

    def _meet(self, start: Start) -> None:
        """The leaf says who answers; ours goes out at the commit point, from what is known then."""
        ours = self._start
        self._start = Start(ours.model, ours.provider, start.provider_model, ours.target, start.response_id)

    def _commit(self, visible: list[StreamEvent | Progress]) -> None:
        """The answer is committed: `Start` goes out, and what was held behind it."""
        watch = self._watch
        if watch.committed:
            return
        watch.committed = True
        watch.live.first_content = watch.spent
        visible.append(self._start)
        for event in self._held:
            self._gathered.add(event)  # type: ignore[arg-type]
        visible.extend(self._held)
        self._held = []

    def _ending(self, end: End) -> End:
        if end.content is not None:
            return end
        return End(end.stop_reason, end.usage, self._gathered.parts(), end.response_id, end.provider_model, end.raw)

    def _broken(self, error: LamellarError) -> LamellarError:
        """What to raise for a stream that broke: an interruption once something was delivered, else the error."""
        if not self._watch.committed:
            return StreamTruncatedError(error.cause) if isinstance(error, StreamTruncatedError) else error
        cause = error.cause if isinstance(error, StreamInterruptedError) else error
        truncated = getattr(cause, "kind", None) is ErrorKind.TRUNCATED
        return (StreamTruncatedError if truncated else StreamInterruptedError)(
            cause,
            partial=self._gathered.parts(whole=False),
            usage=self.inner.usage or getattr(error, "usage", None),
            open_tool_call=self._gathered.open_tool_call,
        )


_CONTENT = (Chunk, ReasoningChunk, ToolCallChunk)
