"""The route at work."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from lamellar.errors import ConfigError, ErrorKind, LamellarError, RejectedError
from lamellar.executor import CompositeExecutor, Operation, ResultT
from lamellar.frozen import nearest
from lamellar.masking import scrub
from lamellar.scope import current_scope

from ..targets import Question

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.target import TargetExecutor

    from .rule import RouteRule
    from .spec import Route

__all__ = ["RouteExecutor"]

_WILD = "*?["
_SHOWN = 20
"""Routes that a message names at most."""


class RouteExecutor(CompositeExecutor):
    """Asks the one target that a call is for.

    Args:
        spec: The options.
        targets: The runtime targets, in the order of the routes, the default's last.
    """

    def __init__(self, spec: Route, targets: tuple[TargetExecutor, ...]) -> None:
        super().__init__(spec.label, targets)
        self.spec = spec
        self._targets = targets
        self._places = {name: place for place, name in enumerate(spec.routes)}
        wild = [name for name in spec.routes if any(sign in name for sign in _WILD)]
        self._patterns = sorted(wild, key=_specificity, reverse=True)  # stable: the first written comes first

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        scope = current_scope()
        name = self._route(model, chat_req, options)
        place = self._places[name] if name is not None else len(self._targets) - 1
        if scope is not None and scope.observer is not None:
            scope.note("lamellar.route.name", name if name is not None else "default")
        question = Question(operation, model, chat_req, options, scope)
        view = scope if scope is None or scope.observer is None else scope.at_target(place, primary=True)
        outcome = await question.ask(self._targets[place], view)
        try:
            if isinstance(outcome, LamellarError):
                raise outcome
            return outcome
        finally:
            del outcome  # or the error would hold this frame, and the frame the error

    def _route(self, model: str, chat_req: ChatRequest, options: ChatOptions | None) -> str | None:
        """The name of the route to take; None for a default of its own.

        Raises:
            RejectedError: There is none.
        """
        if self.spec.rules:
            name = self._by_rule(model, chat_req, options)
            if name is not None:
                return name
        if model in self._places:
            return model
        for pattern in self._patterns:
            if fnmatchcase(model, pattern):
                return pattern
        default = self.spec.default
        if default is None:
            raise self._nowhere(model)
        return default if isinstance(default, str) else None

    def _by_rule(self, model: str, chat_req: ChatRequest, options: ChatOptions | None) -> str | None:
        tags = options.call.tags if options is not None and options.call is not None else {}
        tokens: int | None = None
        for place, rule in enumerate(self.spec.rules):
            if not rule.wants(model, tags):
                continue
            if rule.above_tokens is not None:
                if tokens is None:
                    from ..tokens import prompt_tokens

                    tokens = prompt_tokens(chat_req)
                if tokens <= rule.above_tokens:
                    continue
            if rule.when is None:
                return rule.to
            name = self._ask_predicate(place, rule, model, chat_req, options)
            if name is not None:
                return name
        return None

    def _ask_predicate(
        self, place: int, rule: RouteRule, model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> str | None:
        """Where the rule's `when` sends the call, or None.

        Raises:
            ConfigError: It failed, or said what is no answer: to guess here might send a prompt where it must not go.
        """
        where = f"rules.{place}.when"
        if rule.when is None:
            return None
        try:
            said: object = rule.when(model, chat_req, options)
        except Exception as error:
            raise ConfigError(f"{where}: the predicate failed with {type(error).__name__}") from error
        if isinstance(said, str):
            if said not in self._places:
                raise ConfigError(f"{where}: it said '{scrub(said)}', and there is no such route{self._near(said)}")
            return said
        if said is None or said is False:
            return None
        if said is not True:
            raise ConfigError(f"{where}: expected True, False or the name of a route, got {type(said).__name__}")
        if rule.to is None:
            raise ConfigError(
                f"{where}: it said True, and the rule has no `to`; say the name of a route, or give it one"
            )
        return rule.to

    def _nowhere(self, model: str) -> RejectedError:
        return RejectedError(
            ErrorKind.MODEL_NOT_FOUND,
            f"no route takes the model '{scrub(model[:200])}'{self._near(model)}; "
            "a `default` would take every other model",
        )

    def _near(self, name: str) -> str:
        shown = ", ".join(list(self._places)[:_SHOWN]) + (", ..." if len(self._places) > _SHOWN else "")
        near = nearest(name, self._places)
        return f"{near} (routes: {shown})" if near.startswith("; did") else f"; routes: {shown}"


def _specificity(pattern: str) -> tuple[int, int]:
    """How much a pattern says: its literal characters, then those that stand for one; a star says nothing."""
    literal = single = 0
    bracket = False
    for sign in pattern:
        if bracket:
            bracket = sign != "]"
        elif sign in "[?":
            bracket = sign == "["
            single += 1
        elif sign != "*":
            literal += 1
    return literal, single
