"""Spans, and when they are current. Nothing here raises: telemetry that fails must not fail a call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec

from opentelemetry import context as contexts
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

__all__ = ["Current", "end_span", "harmless", "start_span", "within"]

P = ParamSpec("P")

_logger = logging.getLogger("lamellar.tracing")

_OWNER = contexts.create_key("lamellar-span-owner")
"""Under this key a context holds the span of the call or the attempt that it lies in."""


def harmless(record: Callable[P, None]) -> Callable[P, None]:
    """What it raises is told by its type alone, for its message may hold content, and changes nothing."""

    @wraps(record)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            record(*args, **kwargs)
        except Exception as error:
            _logger.warning("%s failed: %s", record.__qualname__, type(error).__name__)

    return guarded


def start_span(
    tracer: Tracer, name: str, kind: SpanKind, attributes: Mapping[str, AttributeValue], parent: Context | None
) -> Span | None:
    """A new span beneath what is current in `parent`, which is the current context where it is None.

    None where it cannot be made.
    """
    try:
        return tracer.start_span(name, parent, kind, attributes)
    except Exception as error:  # a sampler or a processor of the user's
        _logger.warning("a span could not be started: %s", type(error).__name__)
        return None


@harmless
def end_span(span: Span | None, attributes: Mapping[str, AttributeValue], error: str | None) -> None:
    """Record how it ended, and end it; `error` is the kind of a failure, the only thing its status says."""
    if span is None:
        return
    try:
        if span.is_recording():
            span.set_attributes(attributes)
            if error is not None:
                span.set_status(StatusCode.ERROR, error)
    finally:
        span.end()


def within(owner: Span | None, context: Context | None) -> Context | None:
    """The context for a span beneath `owner`: the current one where that lies within it, else `owner`'s own.

    A layer in between may have made a span of its own; a stream that is read later is read in the consumer's context.
    """
    return None if contexts.get_value(_OWNER) is owner else context


class Current:
    """Makes a span current for a block that runs in one task, and no longer.

    Args:
        span: The span; None makes nothing current.
        parent: The context it was started in; None is the current one.
        owner: The call's or attempt's span that it is a part of; by default it is one itself.
    """

    __slots__ = ("_token", "context")

    def __init__(self, span: Span | None, parent: Context | None = None, owner: Span | None = None) -> None:
        self.context: Context | None = None
        self._token: Token[Context] | None = None
        if span is not None:
            self.context = contexts.set_value(_OWNER, owner or span, set_span_in_context(span, parent))

    def __enter__(self) -> None:
        if self.context is not None:
            self._token = contexts.attach(self.context)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if token is None:
            return
        if kind is not None and issubclass(kind, GeneratorExit):
            # The coroutine is being collected, perhaps in another context, where there is nothing to restore and
            # where `detach` would log that as an error.
            with suppress(ValueError, AttributeError):
                token.var.reset(token)
        else:
            contexts.detach(token)
