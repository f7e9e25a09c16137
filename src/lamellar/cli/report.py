"""What goes wrong, told in one clear message on standard error, with an exit code; never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TextIO

from rich.text import Text

from ..errors import ConfigError, LamellarError, StreamInterruptedError
from ..secrets import scrub
from .attempts import attempts_data, print_attempts, usage_data
from .terminal import console, plain

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "BROKEN_PIPE",
    "FAILED",
    "INTERRUPTED",
    "USAGE",
    "UsageError",
    "error_data",
    "exit_code",
    "quiet_pipe",
    "reported",
    "tell",
    "tell_usage",
    "told",
]

FAILED = 1
USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

P = ParamSpec("P")


class UsageError(ConfigError):
    """The command was not asked for in a way it understands; its help page says how.

    Args:
        message: What is wrong and how to mend it.
        command: The command whose help to read.
    """

    def __init__(self, message: str, command: str) -> None:
        super().__init__(message)
        self.command = command


def reported(command: Callable[P, int]) -> Callable[P, int]:
    """`command` with its errors told and turned into exit codes."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except LamellarError as error:
            tell(error)
            return exit_code(error)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:
            return quiet_pipe()
        except OSError as error:  # a full disk, no loopback: the machine's trouble, told in its own words
            _print(console(stderr=True), str(error))
            return FAILED

    return run


def exit_code(error: LamellarError) -> int:
    """2 for a mistake in what was asked, 1 for a call that failed."""
    return USAGE if isinstance(error, ConfigError) else FAILED


def tell(error: LamellarError, *, partial: bool = False, table: bool = True) -> None:
    """Say on standard error what went wrong, and after which attempts.

    Args:
        error: What went wrong.
        partial: Whether a part of the answer stands on standard output.
        table: Whether to show the attempts.
    """
    out = console(stderr=True)
    _print(out, str(error))
    if partial:
        out.print("       The answer above is only a part of it.", soft_wrap=True)
    if isinstance(error, UsageError):
        out.print(f"       See `lamellar {error.command} --help`.", soft_wrap=True)
    if table and error.attempts:
        out.print()
        print_attempts(out, error.attempts)


def tell_usage(error: Any) -> None:
    """Say what the command line's parser did not understand."""
    out = console(stderr=True)
    _print(out, error.format_message())
    path = error.ctx.command_path if getattr(error, "ctx", None) is not None else "lamellar"
    out.print(f"       See `{path} --help`.", soft_wrap=True)


def _print(out: Console, message: str) -> None:
    lines = plain(scrub(message)).splitlines() or [""]
    out.print(Text("error: ", style="bold red").append(lines[0], style="not bold default"), soft_wrap=True)
    for line in lines[1:]:
        out.print(f"       {line}", soft_wrap=True)


def error_data(error: LamellarError) -> dict[str, Any]:
    """`error` as JSON data; what does not apply to its type is None."""
    data: dict[str, Any] = {"type": type(error).__name__, "kind": getattr(error, "kind", None)}
    data["message"] = scrub(getattr(error, "message", None) or str(error))
    for name in ("provider", "model", "status", "code", "retry_after", "request_id", "retryable", "failover"):
        data[name] = getattr(error, name, None)
    data["partial"] = error.text if isinstance(error, StreamInterruptedError) else None
    data["usage"] = usage_data(error.usage) if isinstance(error, StreamInterruptedError) else None
    return {"error": data, "attempts": attempts_data(error.attempts)}


def told(say: Callable[[], object]) -> None:
    """Say something on standard error, unless that cannot be written: a command does not fail for its own words."""
    try:
        say()
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def quiet_pipe() -> int:
    """The reader of our output has left (`| head`): leave too, without a word."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _discard(stream)
    return BROKEN_PIPE


def _discard(stream: TextIO) -> None:
    """Have nothing fail that is still written there: the interpreter flushes once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
