"""What composites have in common: a question that is put to one target after the other, and who may do better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from lamellar.errors import ConfigError, ErrorKind, ExecutorError, RejectedError, StreamInterruptedError
from lamellar.executor import Operation, ResultT
from lamellar.scope import use_scope

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.scope import CallScope
    from lamellar.target import Target, TargetExecutor

__all__ = ["Question", "check_targets", "grant"]

TargetT = TypeVar("TargetT", bound="TargetExecutor")


def check_targets(targets: Sequence[Target], kind: str, *, least: int = 1) -> None:
    """Refuse too few targets, and two of one name.

    Raises:
        ConfigError: There are too few, or two are named alike.
    """
    if len(targets) < least:
        wanted = "one target, and two to be of use" if least == 1 else f"{least} targets, and got {len(targets)}"
        raise ConfigError(f"targets: a {kind} needs at least {wanted}")
    names = [target.name for target in targets if target.name is not None]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"targets: two targets are named '{name}'; records could not tell them apart")


class Question(Generic[ResultT]):
    """One call, as a composite puts it to its targets.

    Args:
        operation: The kind of call.
        model: The model that the caller asks.
        chat_req: The request.
        options: The caller's options.
        scope: The call's scope.
    """

    __slots__ = ("chat_req", "model", "operation", "options", "scope")

    def __init__(
        self,
        operation: Operation[ResultT],
        model: str,
        chat_req: ChatRequest,
        options: ChatOptions | None,
        scope: CallScope | None,
    ) -> None:
        self.operation = operation
        self.model = model
        self.chat_req = chat_req
        self.options = options
        self.scope = scope

    async def ask(
        self, target: TargetExecutor, scope: CallScope | None, chat_req: ChatRequest | None = None
    ) -> ResultT | ExecutorError | RejectedError:
        """One target's answer in this view of the scope, or its error as a value, whose traceback ends here.

        Args:
            target: Who is asked.
            scope: The view.
            chat_req: The request, where it is another than the caller's.
        """
        chat_req = chat_req or self.chat_req
        tried = scope.attempt_count if scope is not None else 0
        try:
            if scope is self.scope:
                return await self.operation(target, self.model, chat_req, self.options)
            with use_scope(scope):
                return await self.operation(target, self.model, chat_req, self.options)
        except (ExecutorError, RejectedError) as error:
            if scope is not None and isinstance(error, RejectedError) and scope.attempt_count == tried:
                scope.refused(target.name, target.inner.name, target.model or self.model, error)
            return error

    def goes_on(self, error: ExecutorError | RejectedError, rules: Mapping[ErrorKind, bool]) -> bool:
        """Whether another target may be asked after this error: by the rules, else by its own verdict."""
        if isinstance(error, StreamInterruptedError) and not error.failover:
            return False
        remaining = self.scope.remaining() if self.scope is not None else None
        if remaining is not None and remaining <= 0:
            return False  # the call's own time is over
        if error.kind is ErrorKind.DEADLINE:  # of a plate inside this target
            return True
        return bool(rules.get(error.kind, error.failover))

    @staticmethod
    def better(
        targets: Sequence[TargetT], failed: TargetExecutor, error: ExecutorError | RejectedError
    ) -> list[TargetT]:
        """Those of `targets` that may do better: after an overflow those with a larger window, where it is declared."""
        window = failed.context_window
        if error.kind is not ErrorKind.CONTEXT_OVERFLOW or window is None:
            return list(targets)
        return [each for each in targets if each.context_window is None or each.context_window > window]


def grant(scope: CallScope, later: int) -> CallScope:
    """A view for a target that leaves a share of the call's time to `later` others; see `Timeout(reserve=...)`."""
    remaining = scope.remaining()
    if remaining is None or later == 0 or scope.total is None:
        return scope
    granted = remaining - scope.total * min(scope.reserve * later, 0.5)
    # When so much is spent already that the reserves cannot be kept, what remains is shared evenly.
    return scope.with_allowance(granted if granted > 0 else remaining / (later + 1))
