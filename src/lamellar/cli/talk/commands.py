"""The commands of a conversation: what begins with a slash is not sent."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .talk import Talk

__all__ = ["NAMES", "obey"]

_LINE = re.compile(r"/(\w*)(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Command:
    """One command.

    Args:
        says: How it is written.
        does: What it does, in a few words.
        run: Does it; what follows the command's name is handed in. Whether the conversation goes on.
    """

    says: str
    does: str
    run: Callable[[Talk, str], bool]


def obey(talk: Talk, line: str) -> bool | None:
    """Do what `line` commands; whether the conversation goes on, or None when the line is no command."""
    found = _LINE.fullmatch(line.rstrip())
    if found is None:
        return None
    name, argument = found[1].lower(), (found[2] or "").strip()
    command = _COMMANDS.get(name)
    if command is None:
        near = difflib.get_close_matches(name, _COMMANDS, n=1)
        mend = f"did you mean /{near[0]}?" if near else "/help lists them."
        talk.display.say(f"There is no command /{name}; {mend} To send it, write a space before it.")
        return True
    return command.run(talk, argument)


def _help(talk: Talk, argument: str) -> bool:
    width = max(len(command.says) for command in _COMMANDS.values())
    for command in _COMMANDS.values():
        talk.display.say(f"  {command.says:<{width}}  {command.does}")
    talk.display.say()
    talk.display.say('A line that ends in a backslash goes on in the next one, and what stands between two """ may')
    talk.display.say("have many lines. Ctrl-C stops the answer; twice it leaves, as Ctrl-D does.")
    return True


def _new(talk: Talk, argument: str) -> bool:
    talk.conversation.clear()
    talk.asked = None
    again = " The attached files go with the first message again." if talk.conversation.attached else ""
    talk.display.say(f"A new conversation.{again}")
    return True


def _model(talk: Talk, argument: str) -> bool:
    if argument:
        talk.conversation.model = argument
    talk.display.say(f"The model is {talk.conversation.model}.")
    return True


def _system(talk: Talk, argument: str) -> bool:
    if argument:
        talk.conversation.system = None if argument == "-" else argument
    system = talk.conversation.system
    talk.display.say("There is no system prompt." if system is None else f"The system prompt is: {system}")
    return True


def _retry(talk: Talk, argument: str) -> bool:
    talk.retry()
    return True


def _undo(talk: Talk, argument: str) -> bool:
    turn = talk.conversation.undo()
    if turn is None:
        talk.display.say("There is nothing to take back.")
    else:
        talk.asked = None
        left = len(talk.conversation.turns)
        talk.display.say(f"The last question and its answer are taken back; {left or 'none'} left.")
    return True


def _save(talk: Talk, argument: str) -> bool:
    if not argument:
        talk.display.say("Say where: /save FILE. A name that ends in .json keeps everything; any other is Markdown.")
        return True
    file = Path(argument).expanduser()
    if file != talk.saved and file.exists():
        talk.display.say(f"{file} exists, and is left alone; choose another name.")
        return True
    conversation = talk.conversation
    try:
        text = conversation.as_json() if file.suffix.lower() == ".json" else conversation.as_markdown()
        file.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        talk.display.say(f"{file} cannot be written: {getattr(error, 'strerror', None) or error}")
        return True
    talk.saved = file
    count = len(conversation.turns)
    talk.display.say(f"Saved {count} turn{'' if count == 1 else 's'} to {file}.")
    return True


def _attempts(talk: Talk, argument: str) -> bool:
    talk.show_attempts()
    return True


def _usage(talk: Talk, argument: str) -> bool:
    talk.display.say(f"Spent so far: {talk.spend}.")
    return True


def _exit(talk: Talk, argument: str) -> bool:
    return False


_COMMANDS = {
    "help": _Command("/help", "show this", _help),
    "new": _Command("/new", "forget the conversation and begin another", _new),
    "model": _Command("/model NAME", "ask another model from now on", _model),
    "system": _Command("/system TEXT", "set the system prompt; - takes it away", _system),
    "retry": _Command("/retry", "ask the last question again, in place of its answer", _retry),
    "undo": _Command("/undo", "take the last question and its answer back", _undo),
    "save": _Command("/save FILE", "write the conversation to a file: .json, or Markdown", _save),
    "attempts": _Command("/attempts", "show the tries that the last answer took", _attempts),
    "usage": _Command("/usage", "show what was spent so far", _usage),
    "exit": _Command("/exit", "leave", _exit),
}

NAMES = tuple(f"/{name}" for name in _COMMANDS)
"""Every command, as it is typed."""
