"""Log: one line a call, by the standard library's logging, when the call is over.

What was asked and answered is not in it unless that is asked for, and no key is in it ever: what looks like one is
masked. The line is for people; the same facts stand on the record (`LogRecord`) under names that begin with
``lamellar_``, for formatters that write data.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from pydantic import Field

from lamellar.call import Outcome
from lamellar.chat.content import text_of
from lamellar.chat.events import Start
from lamellar.durations import Duration, seconds
from lamellar.errors import RejectedError, StreamInterruptedError
from lamellar.executor import ExecutorWrapper, LlmExecutor, Operation, ResultT, respond
from lamellar.masking import masked, scrub
from lamellar.scope import current_scope
from lamellar.spec import LayerSpec
from lamellar.stream import LlmEventStream

from .tally import Tally

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.usage import Usage
    from lamellar.scope import CallScope
    from lamellar.source import Finish

__all__ = ["Level", "Log", "LogExecutor"]

Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
"""A level of the standard library's logging."""


class Log(LayerSpec):
    """Write one line for each call when it is over: who answered, how it ended, how long it took, what it used.

    Args:
        level: The level of calls that were answered, or that the caller left or cancelled.
        failure_level: The level of calls that failed or were refused.
        logger: The name of the logger.
        slow: Seconds of waiting from which a call that was answered is written at the level WARNING at least; None is
            never.
        content: Whether the request and the answer are written too, with what looks like a key masked.
    """

    kind: ClassVar[str] = "log"
    asks_once: ClassVar[bool] = True

    level: Level = "INFO"
    failure_level: Level = "WARNING"
    logger: str = Field(default="lamellar.calls", min_length=1)
    slow: Duration | None = None
    content: bool = False

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer round `inner`."""
        return LogExecutor(inner, self, context)

    def identity(self) -> object:
        """Nothing: writing changes no answer."""
        return None


class LogExecutor(ExecutorWrapper):
    """Writes a line when a call is over.

    Args:
        inner: The executor to wrap.
        spec: The options.
        context: What the layer is built with.
    """

    def __init__(self, inner: LlmExecutor, spec: Log, context: BuildContext) -> None:
        super().__init__(inner)
        self.spec = spec
        self.target = context.target
        self.clock = context.clock
        self.logger = logging.getLogger(spec.logger)
        self.level = getattr(logging, spec.level)
        self.failure_level = getattr(logging, spec.failure_level)
        self.slow_level = max(self.level, logging.WARNING)
        self._highest = max(self.level, self.failure_level, self.slow_level if spec.slow is not None else 0)

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        if not self.logger.isEnabledFor(self._highest):
            return await operation(self.inner, model, chat_req, options)
        line = _Line(self, model, chat_req, options, streaming=operation is not respond)
        try:
            result = await operation(self.inner, model, chat_req, options)
        except BaseException as error:
            line.failed(error)
            raise
        if isinstance(result, LlmEventStream):
            line.committed(result)
            result.on_finish(line.ended)
        else:
            line.cached = result.cached
            line.write(Outcome.COMPLETED, None, result.usage, result.text if self.spec.content else None)
        return result


class _Line:
    """What is known of one call; it does not hold its stream."""

    __slots__ = ("_asked", "_began", "_layer", "_model", "_scope", "_streaming", "_tags", "_tally", "cached")

    def __init__(
        self, layer: LogExecutor, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, streaming: bool
    ) -> None:
        self.cached = False
        self._layer = layer
        self._model = model
        self._streaming = streaming
        self._scope: CallScope | None = current_scope()
        self._tally = None if self._scope is None else Tally(self._scope, layer.target)
        call = options.call if options is not None else None
        self._tags = call.tags if call is not None else {}
        self._asked = chat_req if layer.spec.content else None
        self._began = self._now()

    def _now(self) -> float:
        """Seconds spent waiting so far: the consumer's own time does not count."""
        return self._layer.clock.now() if self._scope is None else self._scope.stopwatch.elapsed()

    def committed(self, stream: LlmEventStream) -> None:
        """The stream is ready."""
        self.cached = any(isinstance(event, Start) and event.cached for event in stream.peek())

    def failed(self, error: BaseException) -> None:
        """The call raised."""
        if not isinstance(error, Exception):
            self.write(Outcome.CANCELLED, None, None, None)
            return
        tries = self._tally.records() if self._tally is not None else ()
        asked = any(each.outcome is not Outcome.REFUSED for each in tries)
        refused = isinstance(error, RejectedError) and not asked
        self.write(Outcome.REFUSED if refused else Outcome.FAILED, error, None, None)

    def ended(self, finish: Finish) -> None:
        """The stream is over."""
        error, end, usage, text = finish.error, finish.end, None, None
        if end is not None:
            usage = end.usage
        elif isinstance(error, StreamInterruptedError):
            usage = error.usage
        if self._asked is not None:
            text = text_of(end.content or ()) if end is not None else getattr(error, "text", None)
        self.write(finish.outcome, error, usage, text)

    def write(self, outcome: Outcome, error: BaseException | None, usage: Usage | None, text: str | None) -> None:
        """Write the line, if anybody reads lines of its level."""
        layer = self._layer
        latency = self._now() - self._began
        level = layer.failure_level if outcome in (Outcome.FAILED, Outcome.REFUSED) else layer.level
        if outcome is Outcome.COMPLETED and layer.spec.slow is not None and latency >= seconds(layer.spec.slow):
            level = layer.slow_level
        if not layer.logger.isEnabledFor(level):
            return
        facts = self._facts(outcome, error, usage, latency)
        if self._asked is not None:
            facts["request"] = scrub(self._asked.model_dump_json(exclude_none=True))
            facts["response"] = None if text is None else scrub(text)
        layer.logger.log(level, "%s", _told(facts), extra={f"lamellar_{name}": value for name, value in facts.items()})

    def _facts(
        self, outcome: Outcome, error: BaseException | None, usage: Usage | None, latency: float
    ) -> dict[str, object]:
        tries = self._tally.records() if self._tally is not None else ()
        last = tries[-1] if tries else None
        kind = getattr(error, "kind", None)
        return {
            "model": _plain(self._model),
            "target": None if last is None else last.target,
            "provider": None if last is None else last.provider,
            "target_model": None if last is None else _plain(last.model),
            "stream": self._streaming,
            "outcome": str(outcome),
            "kind": str(kind) if kind is not None else None if error is None else type(error).__name__,
            "status": getattr(error, "status", None),
            "attempts": len(tries),
            "latency": round(latency, 6),
            "prompt_tokens": None if usage is None else usage.prompt_tokens,
            "completion_tokens": None if usage is None else usage.completion_tokens,
            "cached": self.cached,
            "tags": {_plain(name): _plain(str(value)) for name, value in _masked(self._tags).items()},
        }


def _masked(tags: dict[str, str]) -> dict[str, object]:
    found = masked(tags)
    return found if isinstance(found, dict) else {}


def _plain(text: str) -> str:
    """Text of a caller's, such that it cannot begin a line of its own or show a key."""
    text = scrub(text)
    return text if text.isprintable() else ascii(text)[1:-1]


def _told(facts: dict[str, object]) -> str:
    """The facts as a line for people."""
    said = [f"{facts['model']} {facts['outcome']} after {facts['latency']:.3f} s"]
    if facts["kind"] is not None:
        said[0] += f": {facts['kind']}" + (f" ({facts['status']})" if facts["status"] is not None else "")
    if facts["cached"]:
        said.append("cached")
    if facts["target"] is not None:
        said.append(f"target {facts['target']}")
    tries = facts["attempts"]
    if tries != 1:
        said.append(f"{tries} attempts")
    if facts["prompt_tokens"] is not None or facts["completion_tokens"] is not None:
        known = ["?" if facts[name] is None else str(facts[name]) for name in ("prompt_tokens", "completion_tokens")]
        said.append(f"{known[0]} + {known[1]} tokens")
    tags = facts["tags"]
    if isinstance(tags, dict) and tags:
        said.append(" ".join([f"{name}={value}" for name, value in tags.items()]))
    said += [f"{name}: {facts[name]}" for name in ("request", "response") if facts.get(name) is not None]
    return ", ".join(said)
