"""The commands, put together: what is asked is parsed here, and whatever happens becomes an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer
import typer.main

from .._version import __version__
from .batch import batch
from .chat import chat
from .check import check
from .demo import demo
from .graph import graph
from .init import init
from .models import models
from .plugins import plugins
from .providers import providers
from .report import INTERRUPTED, USAGE, quiet_pipe, reported, tell_usage
from .schema import schema
from .terminal import prepare_streams
from .yardstick import yardstick

__all__ = ["app", "run"]

_HELP = """Small executors for LLM calls, laced into one resilient executor.

A stack is a file: layers such as retry and timeout, fallback targets, and the providers behind them. These commands
show what a stack does, and ask one a question.
"""

_EPILOG = """\b
Begin here:
  lamellar demo                                     no keys, no network, a few seconds
  lamellar init                                     a stack to begin with, explained
  lamellar chat -c stack.yaml -m MODEL "Hello"      one question to your own stack
  lamellar chat -c stack.yaml -m MODEL              a conversation with it
  lamellar check stack.yaml                         what is doubtful in it, and its worst case
  lamellar graph stack.yaml                         what a stack looks like

\b
Exit codes:
  0    done
  1    the call failed
  2    a mistake in the command, the stack file or the environment
  130  stopped by Ctrl-C
"""

# Plain help, not typer's panels: it reads like a page, and the same on a terminal and in a file.
app = typer.Typer(
    name="lamellar",
    help=_HELP,
    epilog=_EPILOG,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"lamellar {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _lamellar(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(USAGE)


app.command("demo")(reported(demo))
app.command("init", epilog=init.__dict__["epilog"])(reported(init))
app.command("chat", epilog=chat.__dict__["epilog"])(reported(chat))
app.command("models", epilog=models.__dict__["epilog"])(reported(models))
app.command("providers", epilog=providers.__dict__["epilog"])(reported(providers))
app.command("check", epilog=check.__dict__["epilog"])(reported(check))
app.command("graph", epilog=graph.__dict__["epilog"])(reported(graph))
app.command("batch", epilog=batch.__dict__["epilog"])(reported(batch))
app.command("schema", epilog=schema.__dict__["epilog"])(reported(schema))
app.command("plugins", epilog=plugins.__dict__["epilog"])(reported(plugins))
app.command("yardstick", short_help="Put sixteen faults to the preset stack.")(reported(yardstick))


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, and return the exit code; nothing that a user can cause ends in a traceback."""
    prepare_streams()
    command: Any = typer.main.get_command(app)
    try:
        # Not standalone: typer would print and exit by itself, and turn a Ctrl-C into something else.
        code = command.main(
            args=None if arguments is None else list(arguments), prog_name="lamellar", standalone_mode=False
        )
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return quiet_pipe()
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer brings click's own errors, under changing addresses
            raise
        with suppress(BrokenPipeError):
            tell_usage(error)
        return USAGE
    return code if isinstance(code, int) else 0
