"""The breaker at work: who is let through, and what becomes of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lamellar.call import Outcome
from lamellar.errors import ErrorKind, ExecutorError, RejectedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT
from lamellar.masking import is_secret_name
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

from ..shared import call_hook
from .circuit import Refusal, State
from .spec import CircuitEvent

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.executor import LlmExecutor
    from lamellar.source import Finish

    from .breaker import Breaker
    from .circuit import Change, Circuit
    from .probe import Probe
    from .spec import CircuitBreaker

__all__ = ["CircuitBreakerExecutor"]

_logger = logging.getLogger("lamellar.circuit_breaker")

_OF_KEY_AND_MODEL = frozenset({ErrorKind.UNAUTHORIZED, ErrorKind.PERMISSION_DENIED, ErrorKind.MODEL_NOT_FOUND})
"""Faults of the target where it says which key and model are used, and of the caller where he does."""

_BY_HAND = Refusal("is isolated by hand; reset() puts it back to work", None)

_SEVERITY = (State.CLOSED, State.HALF_OPEN, State.OPEN)


class CircuitBreakerExecutor(ExecutorWrapper):
    """Refuses calls while the inner executor fails.

    Args:
        inner: The executor to wrap.
        spec: The options.
        breaker: The circuits, perhaps shared.
        target: The name of the target this stands in, or None outside of any.
        own_model: Whether that target asks for a model of its own.
    """

    state_key = "circuit_breaker"

    def __init__(
        self, inner: LlmExecutor, spec: CircuitBreaker, breaker: Breaker, *, target: str | None, own_model: bool
    ) -> None:
        super().__init__(inner)
        self.spec = spec
        self.breaker = breaker
        self._target = target or inner.name
        self._own_model = own_model

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        circuit = self.breaker.circuit(model, options)
        probe = None
        if circuit.state is not State.CLOSED or self.breaker.isolated:
            probe = self._ask(circuit, model)
        in_round = circuit.round
        try:
            result = await operation(self.inner, model, chat_req, options)
        except BaseException as error:
            own = self._own_model and not _brings_a_key(options)
            _Passage(self, circuit, in_round, probe).failed(error, own=own)
            raise
        if isinstance(result, LlmEventStream):
            result.on_finish(_Passage(self, circuit, in_round, probe).ended)
        else:
            change = circuit.succeeded(in_round, probe)
            if change is not None:
                self._announce(circuit, change)
        return result

    def _ask(self, circuit: Circuit, model: str) -> Probe | None:
        """The call's place among the probes, or None when the circuit has closed meanwhile.

        Raises:
            RejectedError: Kind ``circuit_open``.
        """
        scope = current_scope()
        found, change = (_BY_HAND, None) if self.breaker.isolated else circuit.ask(scope)
        if change is not None:
            self._announce(circuit, change)
        if scope is not None:
            scope.note("lamellar.breaker.state", "isolated" if found is _BY_HAND else str(circuit.state))
        if not isinstance(found, Refusal):
            return found
        error = RejectedError(
            ErrorKind.CIRCUIT_OPEN,
            f"the circuit of '{self._named(circuit)}' {found.why}",
            retry_after=found.retry_after,
            target=self._target,
        )
        if scope is not None:
            scope.refused(self._target, self.inner.name, model, error)
        try:
            raise error
        finally:
            del error  # or it would hold this frame, and the frame the error

    def _named(self, circuit: Circuit) -> str:
        """The target, and the key where that says more."""
        label = circuit.label
        return self._target if not label or f"/{self._target}".endswith(f"/{label}") else f"{self._target} ({label})"

    def _announce(self, circuit: Circuit, change: Change, error: ExecutorError | None = None) -> None:
        """Tell of a change: the log, whoever watches the call, and the hook."""
        if change.after is State.OPEN:
            _logger.warning("the circuit of '%s' is open for %.3g s: %s", self._named(circuit), change.open_for, error)
        else:
            _logger.info("the circuit of '%s' is %s", self._named(circuit), change.after.replace("_", "-"))
        scope = current_scope()
        if scope is not None:
            scope.note("lamellar.breaker.state", str(change.after))
        if self.spec.on_state_change is not None:
            event = CircuitEvent(
                self._target, circuit.label, change.before.value, change.after.value, change.open_for, error
            )
            call_hook(self.spec.on_state_change, event, "on_state_change", _logger)

    def counts(self, error: ExecutorError, *, own: bool) -> bool:
        """Whether an error is a failure of the target.

        Args:
            error: The error.
            own: Whether key and model are the target's own.
        """
        if error.kind is ErrorKind.RATE_LIMITED:
            return self.spec.count_rate_limits
        return error.counts_against_health or (own and error.kind in _OF_KEY_AND_MODEL)

    # -- by hand -------------------------------------------------------------------------------------------------

    def isolate(self) -> None:
        """Refuse every call until `reset()`; for a breaker in no target, since `StackExecutor.isolate` takes out those.

        Those who share the breaker are isolated with it.
        """
        self.breaker.isolated = True

    def state(self) -> dict[str, JsonValue]:
        """The worst state of any circuit, and each circuit by its key."""
        circuits = dict(self.breaker.circuits())
        worst = max((circuit.state for circuit in circuits.values()), key=_SEVERITY.index, default=State.CLOSED)
        return {
            "state": "isolated" if self.breaker.isolated else str(worst),
            "circuits": {label: circuit.shown() for label, circuit in circuits.items()},
        }

    def reset(self) -> None:
        """Close every circuit and forget what was learned. What is under way says nothing any more."""
        for circuit, change in self.breaker.reset():
            self._announce(circuit, change)


class _Passage:
    """A call that was let through, and what became of it. It holds neither the stream nor the request."""

    __slots__ = ("_circuit", "_layer", "_probe", "_round")

    def __init__(self, layer: CircuitBreakerExecutor, circuit: Circuit, in_round: int, probe: Probe | None) -> None:
        self._layer = layer
        self._circuit = circuit
        self._round = in_round
        self._probe = probe

    def failed(self, error: BaseException, *, own: bool) -> None:
        """There is no answer; perhaps that is the target's fault."""
        if not isinstance(error, ExecutorError) or not self._layer.counts(error, own=own):
            self._circuit.neutral(self._probe)
            return
        change = self._circuit.failed(self._round, self._probe, error)
        if change is not None:
            self._layer._announce(self._circuit, change, error)

    def ended(self, finish: Finish) -> None:
        """The stream is over."""
        if finish.outcome is Outcome.COMPLETED:
            change = self._circuit.succeeded(self._round, self._probe)
            if change is not None:
                self._layer._announce(self._circuit, change)
        elif finish.error is not None:
            self.failed(finish.error, own=False)  # a key and a model that began to answer were right
        else:
            self._circuit.neutral(self._probe)


def _brings_a_key(options: ChatOptions | None) -> bool:
    """Whether the options hold a header with a credential, which is used instead of the target's own."""
    headers = options.extra_headers if options is not None else None
    return any(is_secret_name(name) for name in headers or ())
