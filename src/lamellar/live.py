"""A try under way, and what becomes of its record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .call import AttemptRecord, Outcome
from .chat.usage import Usage
from .errors import ErrorKind, ExecutorError, RejectedError
from .rate_limits import LimitHeaders

if TYPE_CHECKING:
    from .observer import AttemptObserver
    from .scope import CallScope

__all__ = ["LiveAttempt"]


class LiveAttempt:
    """A try under way; `record()` is what the world sees of it."""

    __slots__ = (
        "backoff",
        "code",
        "detours",
        "first_content",
        "inner",
        "kind",
        "latency",
        "limit_headers",
        "message",
        "model",
        "number",
        "observed",
        "outcome",
        "provider",
        "request_id",
        "retry_after",
        "started",
        "status",
        "target",
        "target_index",
        "task",
        "usage",
        "waited",
    )

    def __init__(self, number: int, target: str, provider: str, model: str, started: float) -> None:
        self.number = number
        self.target = target
        self.provider = provider
        self.model = model
        self.started = started
        self.outcome: Outcome | None = None
        self.kind: ErrorKind | None = None
        self.status: int | None = None
        self.code: str | None = None
        self.message: str | None = None
        self.latency = 0.0
        self.first_content: float | None = None
        self.waited = 0.0
        self.backoff = 0.0
        self.usage: Usage | None = None
        self.retry_after: float | None = None
        self.request_id: str | None = None
        self.limit_headers: LimitHeaders | None = None
        self.target_index: int | None = None
        """The place of its target among those of the composite above, from 0; None where there is none to tell."""
        self.detours = 0
        """How many composites above would rather have asked another target."""
        self.observed: AttemptObserver | None = None
        """Who watches it while it is under way."""
        self.inner: list[CallScope] = []
        """The scopes of stacks that ran inside the leaf: their tries stand for this one."""
        self.task = _current_task()

    def runs_here(self) -> bool:
        """Whether this try is under way in the current task; a task it left behind is none of its business."""
        return self.outcome is None and self.task is not None and self.task is _current_task()

    def blame(self, error: BaseException) -> None:
        """Note what went wrong."""
        if isinstance(error, RejectedError):
            self.kind, self.message, self.retry_after = error.kind, error.message, error.retry_after
        elif isinstance(error, ExecutorError):
            self.kind, self.code, self.message = error.kind, error.code, error.message
            self.status = error.status or self.status
            self.retry_after = error.retry_after
            self.request_id = error.request_id or self.request_id
            self.usage = getattr(error, "usage", None) or self.usage

    def record(self) -> AttemptRecord:
        """The try as it stands."""
        return AttemptRecord(*[getattr(self, name) for name in _RECORD_FIELDS])

    def records(self) -> tuple[AttemptRecord, ...]:
        """The tries of the stacks that ran inside the leaf, or this one alone."""
        return tuple([each for scope in self.inner for each in scope.attempts]) or (self.record(),)


def _current_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


_RECORD_FIELDS = tuple(AttemptRecord.__dataclass_fields__)
