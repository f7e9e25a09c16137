"""What several layers say or check in the same way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from lamellar.errors import ConfigError, ErrorKind, ExecutorError
from lamellar.frozen import nearest
from lamellar.identity import take_identity

__all__ = ["NEVER_CONNECTED", "OnInterrupt", "call_hook", "check_kinds", "empty_answer", "take_identity"]

EventT = TypeVar("EventT")

OnInterrupt: TypeAlias = Literal["raise", "restart", "continue"]
"""What is done when a stream breaks after part of it was delivered: tell the consumer; ask again and splice; or let a
target that can go on from the partial text do so."""

NEVER_CONNECTED = frozenset({"connect_timeout", "refused", "dns", "descriptors"})
"""Codes of a `connection` failure after which the provider cannot have seen the request."""


def check_kinds(kinds: object) -> None:
    """Refuse a mapping per kind of error that names a kind there is not.

    Raises:
        ConfigError: It does; the nearest kind is named.
    """
    for kind in kinds if isinstance(kinds, dict) else ():
        if kind not in tuple(ErrorKind):
            raise ConfigError(f"'{kind}' is no kind of error{nearest(str(kind), tuple(ErrorKind))}")


def empty_answer(provider: str, model: str, *, failover: bool | None = None) -> ExecutorError:
    """The failure that a layer takes an answer with nothing in it for."""
    return ExecutorError(
        ErrorKind.EMPTY,
        "the answer has no content, no tool call and no usage",
        provider=provider,
        model=model,
        failover=failover,
    )


def call_hook(hook: Callable[[EventT], object] | None, event: EventT, name: str, logger: logging.Logger) -> None:
    """Tell a user's hook, if there is one; what it raises is logged and changes nothing."""
    if hook is not None:
        try:
            hook(event)
        except Exception:
            logger.exception("the %s hook failed", name)
