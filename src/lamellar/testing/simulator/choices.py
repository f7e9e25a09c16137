"""Replies that choose another reply for each request: by time, by what the request says, by anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .log import RequestLog
from .replies import PLAIN, Reply, Status
from .steps import Scene, Step

__all__ = ["Schedule", "When", "refuses_prefill", "until"]


class Choice(Reply):
    """A reply that is another one, depending on the scene."""

    __slots__ = ()

    def pick(self, scene: Scene) -> Reply:
        """The reply of this moment."""
        raise NotImplementedError

    def choose(self, scene: Scene) -> Reply:
        """The reply that really answers, however deep the choices are nested."""
        return self.pick(scene).choose(scene)

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those of the reply that was chosen."""
        return self.choose(scene).steps(scene)


@dataclass(frozen=True, slots=True)
class Schedule(Choice):
    """Replies by the time at which a request arrives, on the simulator's own clock.

    Args:
        phases: Pairs of (until when, reply): seconds since the simulator started or was last reset, ascending.
        then: The reply after the last phase.
    """

    phases: Sequence[tuple[float, Reply]]
    then: Reply = PLAIN

    def pick(self, scene: Scene) -> Reply:
        """The reply of the first phase that is not over."""
        return next((reply for end, reply in self.phases if scene.elapsed < end), self.then)


@dataclass(frozen=True, slots=True)
class When(Choice):
    """One reply or another, by a test of the request.

    Args:
        test: Called, in the simulator's thread, with each request.
        reply: The reply where it is true.
        otherwise: The reply where it is not.
    """

    test: Callable[[RequestLog], bool]
    reply: Reply
    otherwise: Reply = PLAIN

    def pick(self, scene: Scene) -> Reply:
        """The reply that the test decides for."""
        return self.reply if self.test(scene.request) else self.otherwise


def until(end: float | Callable[[], bool], reply: Reply, then: Reply = PLAIN) -> Reply:
    """`reply` until `end`, `then` from there on.

    Args:
        end: Seconds since the simulator started or was last reset, or a function (`event.is_set`) that becomes true.
        reply: The reply until then.
        then: The reply afterwards. Default: an ordinary answer.
    """
    if callable(end):
        over = end
        return When(lambda request: not over(), reply, then)
    return Schedule(((end, reply),), then)


def refuses_prefill(reply: Reply = PLAIN) -> Reply:
    """A model that does not go on from a partial answer: 400 where the last message is the assistant's.

    Args:
        reply: The reply to every other request. Default: an ordinary answer.
    """
    refusal = Status(
        400,
        message="This model does not support assistant message prefill. The conversation must end with a user message.",
    )
    return When(_ends_with_assistant, refusal, reply)


def _ends_with_assistant(request: RequestLog) -> bool:
    return bool(request.messages) and request.messages[-1].get("role") in ("assistant", "model")
