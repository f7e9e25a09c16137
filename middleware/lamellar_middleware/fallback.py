"""Fallback: targets in order, the next one when the error says that another may do better.

The errors' own verdicts decide, and rules per kind may overrule them. A request that overflowed one target's window
goes on only to a target with a larger one, where windows are declared. The error that is raised in the end is the
decisive one (`lamellar.decisive`), with the record of all attempts on it.

While time is bounded, each target leaves a reserve for those after it: target i may take what remains less
0.25 x total for each later target, all reserves together at most half of the total. A target that uses up its grant
has timed out, and the next one begins.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lamellar.coderef import CodeRef, reference_to
from lamellar.decisive import decisive
from lamellar.durations import Duration, seconds
from lamellar.errors import (
    ConfigError,
    ErrorKind,
    ExecutorError,
    LamellarError,
    RejectedError,
    StreamInterruptedError,
)
from lamellar.executor import CompositeExecutor, Operation, ResultT, discard
from lamellar.identity import identity_of
from lamellar.scope import CallScope, current_scope, use_scope
from lamellar.spec import ExecutorSpec, Spec
from lamellar.stream import LlmEventStream
from lamellar.target import AnyTarget, TargetExecutor, named_targets

from .shared import call_hook, check_kinds, empty_answer

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse

__all__ = ["Fallback", "FallbackEvent", "FallbackExecutor"]

_logger = logging.getLogger("lamellar.fallback")


@dataclass(frozen=True, slots=True)
class FallbackEvent:
    """What a hook is told when a target is given up for the next.

    Args:
        failed: The name of the target that was given up.
        next: The name of the target that is tried now.
        error: Why.
    """

    failed: str
    next: str
    error: LamellarError


class Fallback(ExecutorSpec):
    """Targets in order: `Fallback(Target(OpenAI(), model="a"), Target(OpenAI(), model="b"))`.

    Args:
        targets: The targets, the primary first; a bare executor is a target without a model.
        name: How records call it; by default ``fallback``.
        rules: Per kind of error: whether to go on to the next target, where that differs from the error's own verdict
            (for example ``{"content_filtered": True}``).
        on_empty: ``fallback`` takes an answer with nothing in it for a failure; ``accept`` takes it as it is.
        accept: Called with the answer (of a stream, with what came until its commit point); a false value gives the
            target up.
        sticky: Seconds for which calls begin at the target that took over, before the primary is asked again; None
            begins every call at the primary.
        on_fallback: Called with a `FallbackEvent` when a target is given up; its errors are logged and change nothing.

    Raises:
        ConfigError: There is no target.
    """

    kind: ClassVar[str] = "fallback"
    model_config = {"arbitrary_types_allowed": True}

    targets: tuple[AnyTarget, ...] = Field(default=())
    name: str | None = None
    rules: dict[ErrorKind, bool] = {}
    on_empty: Literal["accept", "fallback"] = "accept"
    accept: CodeRef | None = None
    sticky: Duration | None = None
    on_fallback: CodeRef | None = None

    def __init__(self, *targets: object, **data: object) -> None:
        if targets and "targets" in data:
            raise ConfigError("Fallback: give the targets by position or by name, not both")
        super().__init__(**({"targets": targets, **data} if targets else data))

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("rules", mode="before")
    @classmethod
    def _known_kinds(cls, rules: object) -> object:
        check_kinds(rules)
        return rules

    @model_validator(mode="after")
    def _somewhere_to_go(self) -> Self:
        if not self.targets:
            raise ConfigError("targets: a fallback needs at least one target, and two to be of use")
        names = [target.name for target in self.targets if target.name is not None]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"targets: two targets are named '{name}'; records could not tell them apart")
        return self

    @property
    def label(self) -> str:
        """Its name."""
        return self.name or self.kind

    def children(self) -> tuple[Spec, ...]:
        """The targets."""
        return self.targets

    def identity(self) -> object:
        """The targets, and the rules by which an answer is taken from one or the next; not its hook."""
        rules = {str(kind): goes_on for kind, goes_on in sorted(self.rules.items())}
        accept = None if self.accept is None else reference_to(self.accept)
        targets = identity_of(self.targets)
        return {"fallback": {"targets": targets, "rules": rules, "on_empty": self.on_empty, "accept": accept}}

    def make(self, context: BuildContext) -> FallbackExecutor:
        """The runtime fallback with its targets."""
        return FallbackExecutor(self, named_targets(self.targets, context))


class FallbackExecutor(CompositeExecutor):
    """Asks its targets in order.

    Args:
        spec: The options.
        targets: The runtime targets.
    """

    def __init__(self, spec: Fallback, targets: tuple[TargetExecutor, ...]) -> None:
        super().__init__(spec.label, targets)
        self.spec = spec
        self._targets = targets
        self._stuck_at = 0
        self._stuck_until = 0.0

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        scope = current_scope()
        queue = self._in_order(scope)
        errors: list[LamellarError] = []
        outcome: ResultT | ExecutorError | RejectedError | None = None
        event: FallbackEvent | None = None
        try:
            while True:
                target, *later = queue
                tried = scope.attempt_count if scope is not None else 0
                outcome = await self._ask(target, len(later), scope, operation, model, chat_req, options)
                if not isinstance(outcome, LamellarError):
                    self._answered(target, scope)
                    return outcome
                errors.append(outcome)
                if scope is not None and isinstance(outcome, RejectedError) and scope.attempt_count == tried:
                    scope.refused(target.name, target.inner.name, target.model or model, outcome)
                queue = self._candidates(later, target, outcome, scope)
                if not queue:
                    raise decisive(errors)
                event = FallbackEvent(target.name, queue[0].name, outcome)
                call_hook(self.spec.on_fallback, event, "on_fallback", _logger)
        finally:
            # An error's traceback holds this frame: what the frame holds would live as long as anyone keeps the error.
            errors.clear()
            outcome = event = None

    async def _ask(
        self,
        target: TargetExecutor,
        later: int,
        scope: CallScope | None,
        operation: Operation[ResultT],
        model: str,
        chat_req: ChatRequest,
        options: ChatOptions | None,
    ) -> ResultT | ExecutorError | RejectedError:
        """One target's answer, or its error as a value, whose traceback ends here."""
        view = self._view(target, later, scope) if scope is not None else None
        try:
            if view is scope:
                result = await operation(target, model, chat_req, options)
            else:
                with use_scope(view):
                    result = await operation(target, model, chat_req, options)
        except (ExecutorError, RejectedError) as error:
            return error
        problem = self._judge(result, target, model)
        if problem is None:
            return result
        discard(result)
        if scope is not None:
            scope.blame_last(problem)
        return problem

    def _view(self, target: TargetExecutor, later: int, scope: CallScope) -> CallScope:
        """The call's scope as this target sees it."""
        place = self._targets.index(target)
        if place or scope.observer is not None:
            scope = scope.at_target(place, primary=place == 0)
        grant = _grant(scope, later)
        # The attempt, the retries and the queues below keep to the grant, so that it ends as their own timeout.
        return scope if grant is None else scope.with_allowance(grant)

    def _judge(
        self, result: ChatResponse | LlmEventStream, target: TargetExecutor, model: str
    ) -> ExecutorError | RejectedError | None:
        """What is wrong with an answer by the rules of this fallback, or None."""
        if self.spec.on_empty == "fallback" and result.is_empty:
            return empty_answer(target.inner.name, target.model or model, failover=True)
        if self.spec.accept is None:
            return None
        return self._turned_down(result.preview() if isinstance(result, LlmEventStream) else result, target)

    def _turned_down(self, seen: ChatResponse, target: TargetExecutor) -> RejectedError | None:
        said = "turned the answer down"
        try:
            if self.spec.accept is None or self.spec.accept(seen):
                return None
        except Exception as error:
            _logger.exception("the accept predicate failed")
            said = f"failed with {type(error).__name__}"
        return RejectedError(ErrorKind.ANSWER_REJECTED, f"the `accept` predicate {said}", target=target.name)

    def _candidates(
        self,
        later: list[TargetExecutor],
        failed: TargetExecutor,
        error: ExecutorError | RejectedError,
        scope: CallScope | None,
    ) -> list[TargetExecutor]:
        """The targets that may do better after this error; none when there is to be no other."""
        if not self._goes_on(error, scope):
            return []
        if error.kind is ErrorKind.CONTEXT_OVERFLOW and failed.context_window is not None:
            window = failed.context_window
            return [each for each in later if each.context_window is None or each.context_window > window]
        return later

    def _goes_on(self, error: ExecutorError | RejectedError, scope: CallScope | None) -> bool:
        if isinstance(error, StreamInterruptedError) and not error.failover:
            return False
        remaining = scope.remaining() if scope is not None else None
        if remaining is not None and remaining <= 0:
            return False  # the call's own time is over
        if error.kind is ErrorKind.DEADLINE:  # of a plate inside this target
            return True
        return self.spec.rules.get(error.kind, error.failover)

    def _in_order(self, scope: CallScope | None) -> list[TargetExecutor]:
        if self._stuck_at and scope is not None and scope.clock.now() < self._stuck_until:
            return [*self._targets[self._stuck_at :], *self._targets[: self._stuck_at]]
        return list(self._targets)

    def _answered(self, target: TargetExecutor, scope: CallScope | None) -> None:
        if self.spec.sticky is None or scope is None:
            return
        place = self._targets.index(target)
        if place != self._stuck_at or scope.clock.now() >= self._stuck_until:
            self._stuck_at = place
            self._stuck_until = scope.clock.now() + seconds(self.spec.sticky)


def _grant(scope: CallScope, later: int) -> float | None:
    """Seconds this target may take until its answer is committed, or None when nothing is to be reserved."""
    remaining = scope.remaining()
    if remaining is None or later == 0 or scope.total is None:
        return None
    reserved = scope.total * min(scope.reserve * later, 0.5)
    granted = remaining - reserved
    # When so much is spent already that the reserves cannot be kept, what remains is shared evenly.
    return granted if granted > 0 else remaining / (later + 1)
