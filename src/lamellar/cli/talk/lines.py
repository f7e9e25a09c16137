"""Where the lines of a conversation come from, and how several of them make one message."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..report import UsageError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["KeyboardLines", "Lines", "read_message"]

PROMPT = "> "
MORE = ". "

_REMEMBERED = 1000
"""Lines of a history file that can be called back, and that are kept when it has become twice as long."""

_QUOTES = '"""'


class Lines(Protocol):
    """Where lines come from."""

    def read(self, prompt: str) -> str:
        """The next line.

        Raises:
            EOFError: There are no more.
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        ...

    def typed(self) -> str:
        """What stood on the line that Ctrl-C broke off."""
        ...


def read_message(lines: Lines) -> str:
    r'''The next message: one line, or several.

    A line that ends in a backslash goes on in the next one. A message that begins with `"""` goes on to the line that
    ends with `"""`. Ctrl-C drops what was begun.

    Raises:
        EOFError: There are no more lines.
        KeyboardInterrupt: Ctrl-C was pressed, and nothing was begun.
    '''
    while True:
        begun: list[str] = []
        try:
            return _message(lines, begun)
        except KeyboardInterrupt:
            if not begun and not lines.typed():
                raise


def _message(lines: Lines, begun: list[str]) -> str:
    line = lines.read(PROMPT)
    if line.lstrip().startswith(_QUOTES):
        line = line.lstrip().removeprefix(_QUOTES)
        while not line.rstrip().endswith(_QUOTES):
            begun.append(line)
            line = lines.read(MORE)
        begun.append(line.rstrip().removesuffix(_QUOTES))
        return "\n".join(begun).strip("\n")
    while line.endswith("\\"):
        begun.append(line[:-1])
        line = lines.read(MORE)
    return "\n".join([*begun, line])


class KeyboardLines:
    """Lines from the keyboard, to be edited and called back where the machine has readline.

    Args:
        history: A file that the lines are remembered in; None remembers them for this conversation alone.
        words: What the tab key completes at the beginning of a line.

    Raises:
        UsageError: The history file cannot be read or written.
    """

    def __init__(self, history: str | None = None, *, words: Sequence[str] = ()) -> None:
        self._readline = _readline() if sys.stdin.isatty() and sys.stdout.isatty() else None
        self._history = Path(history).expanduser() if history is not None else None
        if self._readline is not None:
            _complete(self._readline, words)
        if self._history is not None:
            for line in _remembered(self._history):
                if self._readline is not None:
                    self._readline.add_history(line)

    def read(self, prompt: str) -> str:
        """The next line, as the user has edited it."""
        try:
            line = input(prompt) if self._readline is not None else _bare_line(prompt)
        except (EOFError, KeyboardInterrupt):
            print(file=sys.stderr)  # the cursor stands behind the prompt
            raise
        if self._history is not None and line.strip():
            _remember(self._history, line)
        return line

    def typed(self) -> str:
        """What stood on the line that Ctrl-C broke off; not known without readline."""
        return str(self._readline.get_line_buffer()) if self._readline is not None else ""


def _bare_line(prompt: str) -> str:
    """A line without `input`, whose prompt goes to standard output: a file there gets the answers alone."""
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


def _readline() -> ModuleType | None:
    try:
        import readline
    except ImportError:  # Windows, and builds without it
        return None
    return readline


def _complete(readline: ModuleType, words: Sequence[str]) -> None:
    def complete(text: str, state: int) -> str | None:
        begins = [word for word in words if text and word.startswith(text) and readline.get_begidx() == 0]
        return begins[state] if state < len(begins) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n")
    # The readline of macOS is another library, with another way to say it.
    by_editline = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if by_editline else "tab: complete")


def _remembered(file: Path) -> list[str]:
    """The last lines of a history file, which is cut to them when it has grown long."""
    try:
        _remember(file, None)  # say now that it cannot be written, rather than after the first question
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        if len(lines) > 2 * _REMEMBERED:
            shorter = file.with_name(f"{file.name}.{os.getpid()}")
            _remember(shorter, "\n".join(lines[-_REMEMBERED:]))
            shorter.replace(file)
    except OSError as error:
        raise UsageError(f"--history: {file}: {error.strerror}", "chat") from None
    return lines[-_REMEMBERED:]


def _remember(file: Path, line: str | None) -> None:
    """Add to a file that nobody else may read."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as out:
        if line is not None:
            out.write(line.encode(errors="replace").decode() + "\n")
