"""`lamellar chat`: one question to a stack."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..chat.events import Chunk, End, Restart
from ..errors import LamellarError
from .attempts import attempts_data, print_attempts, usage_data
from .report import UsageError, error_data, exit_code, tell
from .terminal import Screen, console

if TYPE_CHECKING:
    from ..chat.request import ChatRequest
    from ..chat.response import ChatResponse, StopReason
    from ..root import StackExecutor
    from ..stack import Stack
    from ..stream import LlmEventStream

__all__ = ["answer_data", "chat", "show_stream"]


def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(help="The question; `-` reads it from standard input, as does leaving it out in a pipe."),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            "-c",
            "--config",
            metavar="FILE",
            help="The stack: a YAML, TOML or JSON file. Without one, the provider is found by the model's name.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="MODEL", help="The model; a target with its own model replaces it."),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="A system prompt.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: the answer, or the error, and the attempts.")
    ] = False,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream/--no-stream", help="Show the answer as it comes (the default), or whole.", show_default=False
        ),
    ] = True,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Print the attempts afterwards, on standard error.")
    ] = False,
) -> int:
    """Ask a stack one question.

    The answer goes to standard output as it comes. Everything else goes to standard error. Keys come from the
    environment variables that the stack names. Without a stack file the provider is found by the model's name, such as
    claude-haiku-4-5 or groq::llama-3.3-70b-versatile, and retried with care.
    """
    try:
        return _chat(prompt, config, model, system, as_json=as_json, stream=stream, verbose=verbose)
    except LamellarError as error:
        if not as_json or isinstance(error, UsageError):
            raise
        _print_json(error_data(error))
        tell(error, table=False)
        return exit_code(error)


chat.__dict__["epilog"] = """\b
Examples:
  lamellar chat -m gpt-4o-mini "Why is the sky blue?"
  lamellar chat -m groq::llama-3.3-70b-versatile "And at dusk?"
  lamellar chat -c stack.yaml -m gpt-4o-mini -v "Why is the sky blue?"
  git diff | lamellar chat -c stack.yaml -m gpt-4o-mini --system "Review this patch." -
  lamellar chat -c stack.yaml -m gpt-4o-mini --json "Hello" | jq .attempts
"""


def _chat(
    prompt: str | None,
    config: str | None,
    model: str | None,
    system: str | None,
    *,
    as_json: bool,
    stream: bool,
    verbose: bool,
) -> int:
    if model is None:
        raise UsageError("no model: pass one with -m, such as -m gpt-4o-mini", "chat")
    from ..chat.request import ChatRequest
    from ..stack import Stack

    request = ChatRequest.from_user(_read_prompt(prompt)).with_system(system)
    executor = (_default_stack() if config is None else Stack.load(config)).build()
    if as_json:
        answer = asyncio.run(_collect(executor, model, request, stream=stream))
        _print_json(answer_data(answer))
        return 0
    return _Talk(verbose=verbose).run(executor, model, request, stream=stream)


def _default_stack() -> Stack:
    from ..providers import Auto
    from ..stack import Stack

    return Stack.preset(Auto())


def _read_prompt(prompt: str | None) -> str:
    if prompt is None and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no prompt: write it as the last argument, or pass - and pipe it in", "chat")
    if prompt in (None, "-"):
        if sys.stdin is None:
            raise UsageError("no prompt: standard input is closed", "chat")
        try:
            prompt = sys.stdin.buffer.read().decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UsageError(f"the prompt on standard input is not UTF-8 text (byte {error.start})", "chat") from None
        except OSError as error:
            raise UsageError(f"the prompt on standard input cannot be read: {error.strerror}", "chat") from None
    try:
        str(prompt).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the prompt is not UTF-8 text (character {error.start})", "chat") from None
    if not str(prompt).strip():
        raise UsageError("the prompt is empty", "chat")
    return str(prompt)


async def _collect(executor: StackExecutor, model: str, request: ChatRequest, *, stream: bool) -> ChatResponse:
    async with executor:
        if not stream:
            return await executor.exec_chat_response(model, request)
        return await (await executor.exec_chat_stream_events(model, request)).collect()


class _Talk:
    """One question and its answer on a terminal or in a pipe.

    Args:
        verbose: Whether to print the attempts afterwards.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._screen = Screen()
        self._err = console(stderr=True)

    def run(self, executor: StackExecutor, model: str, request: ChatRequest, *, stream: bool) -> int:
        """Ask, show, and say what went wrong."""
        try:
            return asyncio.run(self._ask(executor, model, request, stream=stream))
        except LamellarError as error:
            self._screen.end_line()
            tell(error, partial=self._screen.printed)
            return exit_code(error)
        except KeyboardInterrupt:
            self._screen.end_line()
            raise

    async def _ask(self, executor: StackExecutor, model: str, request: ChatRequest, *, stream: bool) -> int:
        async with executor:
            if stream:
                events = await executor.exec_chat_stream_events(model, request)
                self._finish(await show_stream(events, self._screen))
                attempts = events.attempts
            else:
                response = await executor.exec_chat_response(model, request)
                self._screen.write(response.text)
                end = End(response.stop_reason, response.usage, response.content)
                attempts = response.attempts
                self._finish(end)
        if self._verbose:
            if attempts:
                print_attempts(self._err, attempts)
            else:
                self._err.print("note: answered from the cache; nobody was asked")
        return 0

    def _finish(self, end: End) -> None:
        """End the line, and say what the text alone does not tell."""
        self._screen.end_line()
        for call in end.tool_calls:
            self._screen.write(f"{call.fn_name}({json.dumps(call.fn_arguments, ensure_ascii=False)})\n")
        if not self._screen.printed:
            self._err.print("note: the answer is empty")
        note = _stopped_early(end.stop_reason)
        if note:
            self._err.print(f"note: {note}")


async def show_stream(events: LlmEventStream, screen: Screen) -> End:
    """Write the text of `events` to `screen` as it comes; its `End`."""
    end = End()
    async with events:
        async for event in events:
            if isinstance(event, Chunk):
                screen.write(event.content)
            elif isinstance(event, Restart):
                # On standard output, where the broken text stands: whoever reads that must know, in a file too.
                screen.end_line()
                where = event.target or event.model
                screen.write(
                    f"\n--- {event.reason}: the answer above was broken off; it starts over at {where} ---\n\n"
                )
            elif isinstance(event, End):
                end = event
    return end


def _stopped_early(reason: StopReason | None) -> str | None:
    if reason == "max_tokens":
        return "the answer stops here because it reached its bound on tokens"
    if reason == "content_filter":
        return "the provider's content filter ended the answer here"
    return None


def answer_data(answer: ChatResponse) -> dict[str, Any]:
    """`answer` as JSON data."""
    reason = answer.stop_reason
    return {
        "text": answer.text,
        "reasoning": answer.reasoning_content,
        "tool_calls": [call.model_dump(mode="json", exclude_none=True) for call in answer.tool_calls],
        "model": answer.model,
        "provider": answer.provider,
        "provider_model": answer.provider_model,
        "stop_reason": None if reason is None else {"kind": str(reason), "raw": reason.raw},
        "usage": usage_data(answer.usage),
        "response_id": answer.response_id,
        "cached": answer.cached,
        "attempts": attempts_data(answer.attempts),
    }


def _print_json(data: dict[str, Any]) -> None:
    readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(data, indent=2, ensure_ascii=not readable)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
