"""`lamellar chat`: one question to a stack, or a conversation with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..chat.request import ChatRequest
from ..errors import LamellarError
from .answers import answer_data, print_json
from .asking import ask, ask_for_json
from .completion import model_names
from .question import attachments, is_typed_in, read_prompt
from .report import UsageError, error_data, exit_code, tell
from .showing import Display
from .stack_file import StackName, load_stack

if TYPE_CHECKING:
    from .talk import Conversation

__all__ = ["answer_data", "chat"]


def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(
            help="The question; `-` reads it from standard input, as does leaving it out in a pipe. Without one, on a "
            "terminal, it is a conversation."
        ),
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
    name: StackName = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            metavar="MODEL",
            autocompletion=model_names,
            help="The model; a target with its own model replaces it.",
        ),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="A system prompt.")] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            "--image", metavar="FILE", help="Attach an image to the question, or to the first one; may be repeated."
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", metavar="FILE", help="Attach a PDF, an image, sound or a text file likewise; may be repeated."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: the answer, or the error, and the attempts.")
    ] = False,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream/--no-stream", help="Show the answer as it comes (the default), or whole.", show_default=False
        ),
    ] = True,
    reasoning: Annotated[
        bool | None,
        typer.Option(
            "--reasoning/--no-reasoning",
            help="Show the reasoning, where the model gives it, on standard error. A conversation shows it by default.",
            show_default=False,
        ),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            help="Print the attempts afterwards, on standard error; in a conversation also what was spent.",
        ),
    ] = False,
    history: Annotated[
        str | None,
        typer.Option(
            "--history", metavar="FILE", help="Remember what is typed in a conversation in this file, for the next one."
        ),
    ] = None,
) -> int:
    """Ask a stack one question, or talk with it.

    The answer goes to standard output as it comes. Everything else goes to standard error. Keys come from the
    environment variables that the stack names. Without a stack file the provider is found by the model's name, such as
    claude-haiku-4-5 or groq::llama-3.3-70b-versatile, and retried with care.

    Without a question, on a terminal, it is a conversation: each line is a turn, and what was said goes back with the
    next one. /help lists its commands; Ctrl-C stops the answer that is running, Ctrl-D leaves.
    """
    try:
        if model is None:
            raise UsageError("no model: pass one with -m, such as -m gpt-4o-mini", "chat")
        if is_typed_in(prompt):
            if as_json:
                raise UsageError("--json answers one question: write it as the last argument, or pipe it in", "chat")
            from .talk import Conversation

            return _talk(
                Conversation(model, system=system, attached=attachments(image or (), file or ())),
                config,
                name,
                history,
                Display(reasoning=reasoning is not False),
                stream=stream,
                verbose=verbose,
            )
        if history is not None:
            raise UsageError("--history belongs to a conversation: leave the question out", "chat")
        question = (*attachments(image or (), file or ()), read_prompt(prompt))
        request = ChatRequest.from_user(question).with_system(system)
        executor = load_stack(config, name, command="chat").build()
        if as_json:
            return ask_for_json(executor, model, request, stream=stream)
        return ask(executor, model, request, Display(reasoning=bool(reasoning)), stream=stream, verbose=verbose)
    except LamellarError as error:
        if not as_json or isinstance(error, UsageError):
            raise
        print_json(error_data(error))
        tell(error, table=False)
        return exit_code(error)


chat.__dict__["epilog"] = """\b
Examples:
  lamellar chat -m gpt-4o-mini "Why is the sky blue?"
  lamellar chat -m groq::llama-3.3-70b-versatile
  lamellar chat -c stack.yaml -m gpt-4o-mini -v "Why is the sky blue?"
  git diff | lamellar chat -c stack.yaml -m gpt-4o-mini --system "Review this patch." -
  lamellar chat -m gpt-4o-mini --image cat.png "What is on this picture?"
  lamellar chat -c stack.yaml -m gpt-4o-mini --json "Hello" | jq .attempts
"""


def _talk(
    conversation: Conversation,
    config: str | None,
    name: str | None,
    history: str | None,
    display: Display,
    *,
    stream: bool,
    verbose: bool,
) -> int:
    from ..sync import SyncExecutor
    from .talk import NAMES, KeyboardLines, Talk

    lines = KeyboardLines(history, words=NAMES)
    with SyncExecutor(load_stack(config, name, command="chat").build()) as executor:
        through = f" through {config}" if config is not None else ""
        display.say(f"Talking to {conversation.model}{through}. /help lists the commands, Ctrl-D leaves.")
        return Talk(executor, conversation, lines, display, stream=stream, verbose=verbose).run()
