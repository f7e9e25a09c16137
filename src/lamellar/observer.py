"""What watches a call: the seam between the plates, who know what happens, and telemetry, of which they know nothing.

A layer that wants to see the tries below it runs them in a view of the scope with an observer
(`CallScope.observed_by`). Without one, nothing of this costs anything. No member may raise, and none may hold the
stream it is told about.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .chat.events import End
    from .chat.options import ChatOptions
    from .chat.request import ChatRequest
    from .chat.response import ChatResponse
    from .executor import LlmExecutor
    from .live import LiveAttempt

__all__ = ["AttemptObserver", "CallObserver", "LeafCall"]


class LeafCall(NamedTuple):
    """What a leaf is asked.

    Args:
        leaf: The leaf.
        chat_req: The request.
        options: The options, with the overlay of its target.
        streaming: Whether a stream is asked.
    """

    leaf: LlmExecutor
    chat_req: ChatRequest
    options: ChatOptions | None
    streaming: bool


class AttemptObserver(Protocol):
    """Watches one attempt. It is entered for every wait for the provider, in the task that waits."""

    def __enter__(self) -> object:
        """A wait begins: what is current now is what the provider's own instrumentation finds as its parent."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """The wait is over; after a `GeneratorExit` perhaps in another task or context."""
        ...

    def inside(self) -> CallObserver | None:
        """Who watches the tries of a stack that runs inside the leaf."""
        ...

    def ended(self, live: LiveAttempt, answer: ChatResponse | End | None) -> None:
        """The attempt is over, and its record is closed; with the whole answer, or the `End` of a whole stream."""
        ...


class CallObserver(Protocol):
    """Watches one call."""

    def attempt_began(self, live: LiveAttempt, call: LeafCall | None) -> AttemptObserver:
        """A try begins; without a `call`, a layer refused it before it was made."""
        ...

    def note(self, name: str, value: str | bool | float) -> None:
        """A layer tells a fact of this call, such as `lamellar.cache.hit`."""
        ...
