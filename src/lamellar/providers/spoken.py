"""Errors that are told in words only: no code, no type, and, in the middle of a stream, no status.

Ollama and Cohere tell theirs so. With a status the common table decides, as for everybody; without one, the words here
do, so that an error under HTTP 200 has the kind that the same error has with its status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import ErrorKind, ExecutorError
from .classify import classify, provider_error
from .phrases import MISSING_MODEL
from .wire import Exchange

__all__ = ["spoken_error"]

_WORDS: tuple[tuple[re.Pattern[str], ErrorKind], ...] = (
    (re.compile(r"rate limit|too many requests|per minute"), ErrorKind.RATE_LIMITED),
    (
        re.compile(
            r"overload|(?:server|service) (?:is )?(?:busy|unavailable)|temporarily unavailable|at capacity"
            r"|maximum pending requests"
        ),
        ErrorKind.OVERLOADED,
    ),
    (re.compile(r"unauthorized|(?:invalid|missing|no) api (?:key|token)"), ErrorKind.UNAUTHORIZED),
    (re.compile(r"forbidden|permission denied|not permitted"), ErrorKind.PERMISSION_DENIED),
    (MISSING_MODEL, ErrorKind.MODEL_NOT_FOUND),
    (re.compile(r"timed? ?out|deadline exceeded"), ErrorKind.TIMEOUT),
    (re.compile(r"\A(?:invalid|bad) request|does not support"), ErrorKind.INVALID_REQUEST),
)
_LOOKED_AT = 2000
"""Characters of a message that are looked at for these words."""


def spoken_error(
    exchange: Exchange,
    status: int,
    headers: Mapping[str, str],
    message: str,
    *,
    code: str | None = None,
    kind: ErrorKind | None = None,
    body: object = None,
) -> ExecutorError:
    """The classified error of a message.

    Args:
        exchange: What is known of the request.
        status: The HTTP status; one below 300 for an error in-band.
        headers: The response's headers.
        message: What the provider said.
        code: The provider's own word for it, where there is one.
        kind: The kind, where the dialect knows it.
        body: The parsed body, for the hints in it.
    """
    if kind is None and status < 300:
        kind = classify(None, None, None, message, exchange.provider)
        if kind is ErrorKind.SERVER_ERROR:
            text = message[:_LOOKED_AT].lower()
            kind = next((found for words, found in _WORDS if words.search(text)), kind)
    return provider_error(
        provider=exchange.provider,
        model=exchange.model,
        status=status,
        headers=headers,
        message=message,
        code=code,
        kind=kind,
        body=body,
        wall=exchange.wall() if exchange.wall is not None else None,
        secrets=exchange.secrets,
    )
