"""`lamellar batch`: many questions from a file, their answers to another, and on again after whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...durations import parse_duration
from ..completion import model_names
from ..report import UsageError
from ..stack_file import StackName, load_stack

__all__ = ["batch"]

_NAME = "batch"


def batch(
    source: Annotated[str, typer.Argument(metavar="IN.jsonl", help="The questions, one JSON object a line.")],
    target: Annotated[
        str, typer.Argument(metavar="OUT.jsonl", help="The answers, one JSON object for each line of IN, in any order.")
    ],
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
            help="The model, for lines that name none.",
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="A system prompt, for lines that have none.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", min=1, max=10_000, help="Calls in flight at most.")
    ] = 16,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask those lines again that OUT holds an error for.")
    ] = False,
    max_failures: Annotated[
        int | None,
        typer.Option(
            "--max-failures",
            metavar="N",
            min=1,
            help="Stop when N lines have failed. Without it, only when the first 10 all fail for want of a key, a "
            "permission, a quota or a model.",
        ),
    ] = None,
    patience: Annotated[
        str,
        typer.Option(
            "--patience",
            metavar="DURATION",
            help="How long a line waits in all when a limit or an open circuit says: not now.",
        ),
    ] = "10m",
) -> int:
    """Ask a stack every question of a file.

    A line of IN is {"prompt": "..."} or has the `messages` of a request; `id`, `model`, `system`, `tools` and `options`
    may stand beside. Lines of OpenAI's batch format are understood too. A line of OUT has the `line` and `id` that it
    answers, and what `lamellar chat --json` prints: the answer or the `error`, the attempts, tokens and cost.

    Stop it, kill it, pull the plug: the same command goes on where it ended, and no line is lost or written twice. A
    line that cannot be read is told and passed over. Ctrl-C waits for the calls in flight, a second one does not.
    """
    try:
        waiting = parse_duration(patience)
    except ValueError as error:
        raise UsageError(f"--patience: {error}", _NAME) from None
    from .job import Job, Limits

    job = Job(Path(source), Path(target), model=model, system=system, retry_failed=retry_failed)
    return job.run(load_stack(config, name, command=_NAME), Limits(concurrency, max_failures, waiting))


batch.__dict__["epilog"] = """\b
Examples:
  lamellar batch questions.jsonl answers.jsonl -m gpt-4o-mini
  lamellar batch questions.jsonl answers.jsonl -c stack.yaml -m gpt-4o-mini --concurrency 64
  lamellar batch questions.jsonl answers.jsonl -m gpt-4o-mini --retry-failed
  jq -r 'select(.ok) | [.id, .text] | @tsv' answers.jsonl

\b
Exit codes:
  0    every line is answered
  1    some lines failed, or cannot be read
  2    a mistake in the command, the stack or the files; a full disk
  130  stopped by Ctrl-C (143 by a SIGTERM)
"""
