"""Where output goes: consoles that know a terminal from a file, and text that cannot do anything to a terminal."""

from __future__ import annotations

import os
import re
import sys
from typing import Any, NoReturn

from rich.console import Console

__all__ = ["Screen", "console", "plain", "prepare_streams", "seconds"]

_FILE_WIDTH = 100
"""Columns of what is written to a file or a pipe."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters but for tab and newline: what a provider says must not move the cursor or set a title."""


def prepare_streams() -> None:
    """Make standard output and error able to print anything, whatever the locale is, and never be None."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # started with the descriptor closed
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 -- for the whole process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `report`, which knows what to do; rich would end the process by itself."""
        raise  # noqa: PLE0704 -- rich calls this while it handles the BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Standard output or standard error: colors on a terminal only, and none with NO_COLOR."""
    options: dict[str, Any] = {"stderr": stderr, "highlight": False, "markup": False, "emoji": False}
    stream = sys.stderr if stderr else sys.stdout
    if not stream.isatty() and "COLUMNS" not in os.environ:
        options["width"] = _FILE_WIDTH
    return _Console(**options)


def plain(text: str) -> str:
    """`text` without control characters, tabs and newlines excepted."""
    return _CONTROLS.sub("", text)


def seconds(value: float | None) -> str:
    """A duration as it is shown: `0.2 ms`, `4 ms`, `1.04 s`; nothing for None."""
    if value is None:
        return ""
    if 0 < value < 0.00095:
        return f"{value * 1000:.1g} ms"
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f} s"


class Screen:
    """Where text comes in pieces, each shown at once: standard output, or standard error.

    Args:
        stderr: Whether it is standard error.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        self._stream = sys.stderr if stderr else sys.stdout
        self.is_terminal = self._stream.isatty()
        out = console(stderr=stderr)
        self.is_styled = out.is_terminal and not (out.is_dumb_terminal or out.no_color or out.legacy_windows)
        self._last = "\n"
        self.printed = False

    @property
    def at_line_start(self) -> bool:
        """Whether the last piece ended its line."""
        return self._last == "\n"

    def write(self, text: str, *, dim: bool = False) -> None:
        """Show a piece; dimmed, if asked, where there is a terminal that can."""
        if self.is_terminal:
            text = plain(text)
        if text:
            self._stream.write(f"\x1b[2m{text}\x1b[22m" if dim and self.is_styled else text)
            self._stream.flush()
            self._last = text[-1]
            self.printed = True

    def end_line(self) -> None:
        """Go to a new line, unless there already."""
        if self._last != "\n":
            self._last = "\n"
            self._stream.write("\n")
            self._stream.flush()
