"""One question and its answer, on a terminal or in a pipe."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..collect import Whole
from ..errors import LamellarError
from .answers import answer_data, print_json
from .report import exit_code, tell

if TYPE_CHECKING:
    from ..chat.request import ChatRequest
    from ..chat.response import ChatResponse
    from ..root import StackExecutor
    from ..stream import LlmEventStream
    from .showing import Display

__all__ = ["ask", "ask_for_json", "show_stream"]


def ask(
    executor: StackExecutor, model: str, request: ChatRequest, display: Display, *, stream: bool, verbose: bool
) -> int:
    """Ask, show, and say what went wrong; the exit code.

    Args:
        executor: Who is asked; it is closed afterwards.
        model: The model.
        request: The question.
        display: Where to show the answer.
        stream: Whether to show it as it comes.
        verbose: Whether to print the attempts afterwards.
    """
    try:
        asyncio.run(_ask(executor, model, request, display, stream=stream, verbose=verbose))
    except LamellarError as error:
        display.end_lines()
        tell(error, partial=display.printed)
        return exit_code(error)
    except KeyboardInterrupt:
        display.end_lines()
        raise
    return 0


async def _ask(
    executor: StackExecutor, model: str, request: ChatRequest, display: Display, *, stream: bool, verbose: bool
) -> None:
    async with executor:
        if stream:
            response = await show_stream(await executor.exec_chat_stream_events(model, request), display)
        else:
            response = await executor.exec_chat_response(model, request)
            display.response(response)
        display.finish(response.content, response.stop_reason)
    if verbose:
        display.attempts(response.attempts, cached=response.cached)


async def show_stream(events: LlmEventStream, display: Display) -> ChatResponse:
    """Show `events` as they come; the whole answer."""
    whole = Whole()
    async with events:
        async for event in events:
            whole.add(event)
            display.event(event)
    return whole.response(events.attempts)


def ask_for_json(executor: StackExecutor, model: str, request: ChatRequest, *, stream: bool) -> int:
    """Ask, and print the answer as JSON; the exit code."""
    print_json(answer_data(asyncio.run(_collect(executor, model, request, stream=stream))))
    return 0


async def _collect(executor: StackExecutor, model: str, request: ChatRequest, *, stream: bool) -> ChatResponse:
    async with executor:
        if not stream:
            return await executor.exec_chat_response(model, request)
        return await (await executor.exec_chat_stream_events(model, request)).collect()
