"""A bearer token that is asked for again with every request: tokens expire, keys do not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable, iscoroutinefunction

from ..errors import ErrorKind, ExecutorError
from ..masking import scrub
from .wire import WireRequest

__all__ = ["TokenProvider", "TokenSigner"]

TokenProvider = Callable[[], str | Awaitable[str]]
"""Gives the token of this moment; it keeps and renews it itself."""

_HEADER = "authorization"


class TokenSigner:
    """Puts the token of this moment into each request.

    A plain function is called in a thread, for it may ask the network; a coroutine function is awaited. A request that
    has a token already, from the caller's own headers, keeps it.

    Args:
        option: The option under which the function was given, named in errors.
        ask: The function.
    """

    __slots__ = ("_ask", "_option")

    def __init__(self, option: str, ask: TokenProvider) -> None:
        self._option = option
        self._ask = ask

    async def __call__(self, request: WireRequest) -> None:
        """Sign the request.

        Raises:
            ExecutorError: The function failed, or gave something else than a token.
        """
        if _HEADER in request.headers:
            return
        try:
            found = self._ask() if iscoroutinefunction(self._ask) else await asyncio.to_thread(self._ask)
            token = await found if isawaitable(found) else found
        except Exception as error:
            said = scrub(f"{type(error).__name__}: {error}".removesuffix(": "))[:1000]
            raise _failed(f"{self._option} failed with {said}") from None
        if not isinstance(token, str) or not token.strip():
            raise _failed(f"{self._option} returned {type(token).__name__}, and a token is expected as text")
        request.headers[_HEADER] = f"Bearer {token.strip()}"


def _failed(message: str) -> ExecutorError:
    return ExecutorError(ErrorKind.UNAUTHORIZED, message, code="no_token")
