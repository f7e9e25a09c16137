"""Every error that Lamellar raises, and what each of them means to the layers.

    LamellarError
    ├── ConfigError                      a wrong option, file, key or argument: mend it and try again
    ├── ExecutorError                    the provider's side failed; `kind` says how
    │   └── StreamInterruptedError       it failed after part of the answer was delivered
    │       └── StreamTruncatedError     the stream stopped without the provider's finish signal
    ├── RejectedError                    a layer here refused; nothing was sent for this refusal
    └── StreamClosedError                the stream was closed while a read was waiting for it

Leaves classify, layers read properties: no layer looks at a message. The three verdicts of an error are
`retryable` (the same target may do better if asked again), `failover` (another target may do better) and
`counts_against_health` (the target is to blame). They follow from its `kind` by one table, `VERDICTS`;
a leaf that knows better says so when it makes the error.

Every error pickles and copies. No message holds a secret: what comes from a provider goes through
`lamellar.secrets.scrub` before it is put in an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from .verdicts import VERDICTS, ErrorKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .call import AttemptRecord
    from .chat.content import ContentPart, ToolCall
    from .chat.usage import Usage

__all__ = [
    "VERDICTS",
    "ConfigError",
    "ErrorKind",
    "ExecutorError",
    "LamellarError",
    "RejectedError",
    "StreamClosedError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "Verdict",
]


_NO_HEALTH_STATUS = frozenset({409, 425})
"""Statuses that are retried as server errors but say nothing of the target's health."""


def _rebuild(cls: type[LamellarError], args: tuple[object, ...], state: dict[str, object]) -> LamellarError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    cause = state.get("cause")
    if isinstance(cause, BaseException):
        error.__cause__ = cause  # pickle and copy drop it
    return error


class LamellarError(Exception):
    """The root of the tree. `attempts` is the ordered record of every try that led here."""

    attempts: tuple[AttemptRecord, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[object, ...]]:
        return _rebuild, (type(self), self.args, self.__dict__)  # type: ignore[return-value]


class ConfigError(LamellarError, ValueError):
    """A wrong option, file, key or argument; the message names the field, what was found, and the mend.

    Args:
        message: The whole message, one problem a line.
        problems: The single problems, when there are several.
    """

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[str, ...] = tuple(problems) or (message,)


class ExecutorError(LamellarError):
    """A failure on the provider's side, classified.

    Args:
        kind: What went wrong.
        message: What the provider said, scrubbed of secrets; one or two lines.
        provider: The namespace of the provider, such as ``openai``.
        model: The model that was asked.
        status: The HTTP status, or None when there was no response. An in-band error keeps the 200.
        code: The provider's own code, or ours (``connect_timeout``, ``first_content`` …).
        retry_after: Seconds the provider asks to wait, or None.
        request_id: The provider's id of the request, for its support.
        retryable: Overrides the table for this error.
        failover: Overrides the table for this error.
        counts_against_health: Overrides the table for this error.
    """

    def __init__(
        self,
        kind: ErrorKind | str,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        failover: bool | None = None,
        counts_against_health: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = ErrorKind(kind)
        self.message = message
        self.provider = provider
        self.model = model
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id
        self.target: str | None = None
        """The name of the target that failed, once it has; None outside of a stack."""
        verdict = VERDICTS[self.kind]
        self.retryable = verdict.retryable if retryable is None else retryable
        self.failover = verdict.failover if failover is None else failover
        if counts_against_health is None:
            counts_against_health = verdict.counts_against_health and status not in _NO_HEALTH_STATUS
        self.counts_against_health = counts_against_health

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kind.value!r}, {self.message!r})"

    def __str__(self) -> str:
        where = "/".join(part for part in (self.provider, self.model) if part)
        at = f" at {self.target}" if self.target not in (None, where, self.provider) else ""
        said = ", ".join(str(part) for part in (self.status, self.code) if part is not None)
        return f"{self.kind}{at}{f' from {where}' if where else ''}{f' ({said})' if said else ''}: {self.message}"


_INHERITED = ("provider", "model", "status", "code", "retry_after", "request_id", "counts_against_health", "target")
"""What an interruption has of its cause."""


class StreamInterruptedError(ExecutorError):
    """The stream broke after part of the answer had been delivered.

    It carries the kind of its cause, but is neither retryable nor a reason to fail over: only a layer's own
    `on_interrupt` acts on it, so that no outer layer runs the call again by mistake.

    Args:
        cause: The failure that broke the stream; also the `__cause__`.
        partial: What had been delivered, in order.
        usage: What the provider had reported by then, or None.
        open_tool_call: The tool call whose arguments were still arriving, or None. Its arguments are the raw
            text so far.
    """

    def __init__(
        self,
        cause: LamellarError,
        *,
        partial: tuple[ContentPart, ...] = (),
        usage: Usage | None = None,
        open_tool_call: ToolCall | None = None,
    ) -> None:
        super().__init__(
            getattr(cause, "kind", ErrorKind.SERVER_ERROR),
            f"the stream broke after part of the answer was delivered: {getattr(cause, 'message', cause)}",
            retryable=False,
            failover=False,
            counts_against_health=False,
        )
        if isinstance(cause, ExecutorError):
            for name in _INHERITED:
                setattr(self, name, getattr(cause, name))
        self.cause = cause
        self.partial = partial
        self.usage = usage
        self.open_tool_call = open_tool_call
        self.__cause__ = cause

    @property
    def text(self) -> str:
        """The text that had been delivered."""
        from .chat.content import text_of

        return text_of(self.partial)


class StreamTruncatedError(StreamInterruptedError):
    """The stream stopped without the provider's own finish signal: the answer is not whole.

    With nothing delivered it is an ordinary `truncated` failure, retryable and a reason to fail over; with a
    partial answer it is an interruption like any other.
    """

    def __init__(
        self,
        cause: LamellarError | None = None,
        *,
        partial: tuple[ContentPart, ...] = (),
        usage: Usage | None = None,
        open_tool_call: ToolCall | None = None,
    ) -> None:
        cause = cause or ExecutorError(ErrorKind.TRUNCATED, "the stream ended without a finish signal")
        super().__init__(cause, partial=partial, usage=usage, open_tool_call=open_tool_call)
        if not partial and open_tool_call is None:
            self.message = getattr(cause, "message", str(cause))
            self.args = (self.message,)
            self.retryable, self.failover, self.counts_against_health = VERDICTS[self.kind]


class RejectedError(LamellarError):
    """A layer of the stack refused the call; the provider is not to blame.

    Args:
        kind: The refusal, such as ``circuit_open`` or ``deadline``.
        message: Why, and what would let the call through.
        retry_after: Seconds until the layer would accept again, when it knows.
        target: The target that was refused, when there is one.
    """

    def __init__(
        self, kind: ErrorKind | str, message: str, *, retry_after: float | None = None, target: str | None = None
    ) -> None:
        super().__init__(message)
        self.kind = ErrorKind(kind)
        self.message = message
        self.retry_after = retry_after
        self.target = target
        self.retryable, self.failover, self.counts_against_health = VERDICTS[self.kind]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kind.value!r}, {self.message!r})"

    def __str__(self) -> str:
        return f"{self.kind}{f' at {self.target}' if self.target else ''}: {self.message}"


class StreamClosedError(LamellarError):
    """The stream was closed, by `aclose()` in another task, while this read was waiting. No failure of anyone."""

    def __init__(self, message: str = "the stream was closed while a read was waiting") -> None:
        super().__init__(message)
