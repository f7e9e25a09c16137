"""How the demo looks: the stack, each scene as it happens, the attempts, and what was proved."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.status import Status
from rich.text import Text

from ..attempts import print_attempts
from ..terminal import console, seconds
from .run import BurstRun
from .scenes import PRIMARY, Burst
from .sentences import proved, told, waited_for
from .timeline import timeline

if TYPE_CHECKING:
    from ...errors import LamellarError
    from .run import Run
    from .scenes import Scene
    from .watch import Happening

__all__ = ["Show", "Silent"]

_INDENT = "   "
_SIGNS = {"request": "→", "reply": "←", "left": "×"}  # noqa: RUF001 -- a cross it is
_COLORS = {"primary": "cyan", "backup": "magenta"}


class Silent:
    """Nobody watches: `--json` prints the facts alone."""

    def opening(self, yaml: str) -> None:
        """The stack."""

    def scene(self, number: int, scene: Scene | Burst) -> None:
        """A scene begins."""

    def happened(self, happening: Happening) -> None:
        """Something happened at a provider."""

    def waiting(self, happenings: Sequence[Happening], now: float) -> None:
        """Nothing new."""

    def crowd(self, arrived: int, asked: int) -> None:
        """So many of those that were asked at once have arrived."""

    def piece(self, text: str) -> None:
        """A piece of the answer."""

    def verdict(self, run: Run | BurstRun, facts: Mapping[str, Any]) -> None:
        """What the scene proved."""

    def closing(self, facts: Mapping[str, Any]) -> None:
        """What all of it proved."""


class Show(Silent):
    """On standard output: with a line that lives on a terminal, in plain lines anywhere else."""

    def __init__(self) -> None:
        self._out = console()
        self._live = self._out.is_terminal and not self._out.is_dumb_terminal
        self._status: Status | None = None
        self._question = ""
        self._column = 0
        self._in_text = False
        self._quiet = True

    # -- before and after ---------------------------------------------------------------------------------------

    def opening(self, yaml: str) -> None:
        """What there is, and the stack file."""
        out = self._out
        out.print()
        out.print(Text("Lamellar", style="bold").append("  small executors, laced into one", style="not bold dim"))
        out.print()
        out.print("Two HTTP providers, of two dialects, run on this machine and misbehave on cue.")
        out.print("In front of them stands this stack, loaded from a file:")
        out.print()
        shown = Text(textwrap.indent(yaml.rstrip(), _INDENT))
        shown.highlight_regex(r"[\w-]+(?=:(\s|$))", "blue")
        for name, color in _COLORS.items():
            shown.highlight_regex(rf"(?<=name: ){name}", color)
        out.print(shown, soft_wrap=True)

    def closing(self, facts: Mapping[str, Any]) -> None:
        """The count, and where to go next."""
        out = self._out
        scenes = facts["scenes"]
        checks = [passed for scene in scenes for passed in scene["checks"].values()]
        requests = sum(len(log) for scene in scenes for log in scene["upstream"].values())
        out.print()
        line = f"{len(scenes)} scenes, {requests} requests, {facts['seconds']:.1f} s. "
        if facts["ok"]:
            out.print(_tick(line + f"All {len(checks)} checks against the providers' logs hold."))
        else:
            out.print(_cross(line + f"{checks.count(False)} of {len(checks)} checks failed."))
        out.print()
        for what, how in (
            ("The same as facts", "lamellar demo --json"),
            ("A model of yours", 'lamellar chat -m MODEL "Hello"'),
            ("A stack of yours", 'lamellar chat -c stack.yaml -m MODEL "Hello"'),
            ("In Python", "the front page of README.md"),
        ):
            out.print(Text(f"{_INDENT}{what:<19}", style="dim").append(how, style="not dim"))
        out.print()

    # -- a scene ------------------------------------------------------------------------------------------------

    def scene(self, number: int, scene: Scene | Burst) -> None:
        """The heading, the story and the question."""
        out = self._out
        self._question = "" if isinstance(scene, Burst) else scene.question
        self._column, self._in_text, self._quiet = 0, False, True
        out.print()
        out.print(Text(f"{number}  ", style="dim").append(scene.title, style="not dim bold"))
        out.print(Text(_INDENT + scene.story, style="dim"))
        out.print()

    def happened(self, happening: Happening) -> None:
        """One line of the wire."""
        self._hush()
        if self._in_text:  # the answer is being shown: nothing may come between
            return
        self._quiet = False
        line = Text(f"{_INDENT}{happening.at:5.2f} s  ", style="dim")
        line.append(f"{_SIGNS[happening.what]} ", style="not dim")
        line.append(f"{happening.provider:<9}", style=f"not dim {_COLORS[happening.provider]}")
        line.append_text(told(happening))
        self._out.print(line, soft_wrap=True)

    def waiting(self, happenings: Sequence[Happening], now: float) -> None:
        """On a terminal, what is being waited for, with the seconds left."""
        if not self._in_text:
            self._say(waited_for(happenings, now))

    def crowd(self, arrived: int, asked: int) -> None:
        """On a terminal, how many have arrived."""
        self._say(f"{arrived} of {asked} have arrived")

    def piece(self, text: str) -> None:
        """A piece of the answer, wrapped by hand: the rest of its line is not known yet."""
        self._hush()
        if not self._in_text:
            self._in_text = True
            if not self._quiet:
                self._out.print()
            self._out.print(Text(f"{_INDENT}│ {self._question}", style="dim"))
            self._write(f"{_INDENT}│ ")
            self._column = len(_INDENT) + 2
        for word in re.findall(r"\s*\S+|\s+", text):
            self._write_word(word)

    def _write_word(self, word: str) -> None:
        if self._column + len(word.rstrip()) > min(self._out.width, 100) - 2:
            self._write(f"\n{_INDENT}│ ")
            word = word.lstrip()
            self._column = len(_INDENT) + 2
        self._write(word)
        self._column += len(word)

    # -- what came of it ----------------------------------------------------------------------------------------

    def verdict(self, run: Run | BurstRun, facts: Mapping[str, Any]) -> None:
        """What was seen, and what it proves."""
        self._hush()
        if self._in_text:
            self._write("\n")
        self._in_text = False
        out = self._out
        errors: list[LamellarError | None]
        if isinstance(run, BurstRun):
            self._arrivals([request["at"] for request in facts["upstream"][PRIMARY]])
            errors = [each.error for each in run.asked]
        else:
            self._attempts(run)
            if "spans" in facts:
                self._trace(run)
            errors = [run.error]
        if facts["ok"]:
            out.print(_tick(proved(facts)))
        for name, passed in facts["checks"].items():
            if not passed:
                out.print(_cross(f"Not so: {name.replace('_', ' ')}."))
        for error in dict.fromkeys([str(each) for each in errors if each is not None]):
            out.print(Text(f"{_INDENT}{error}", style="red"))

    def _attempts(self, run: Run) -> None:
        if run.attempts:
            self._out.print()
            print_attempts(self._out, run.attempts, indent=len(_INDENT))
        self._out.print()

    def _trace(self, run: Run) -> None:
        if run.spans is None:
            self._out.print(Text(f"{_INDENT}{run.spans_missing}", style="dim"))
        else:
            from ..trace_tree import render

            for line in render(run.spans):
                shown = Text(_INDENT + line)
                shown.highlight_regex("█+", "blue")
                self._out.print(shown, soft_wrap=True)
        self._out.print()

    def _arrivals(self, times: Sequence[float]) -> None:
        if not times:
            return
        marks, scale, step = timeline(times, min(self._out.width, 80) - len(_INDENT))
        self._out.print(Text(f"{_INDENT}Arrivals at the primary, a mark for each {seconds(step)}:", style="dim"))
        self._out.print(Text(_INDENT + marks), soft_wrap=True)
        self._out.print(Text(_INDENT + scale, style="dim"), soft_wrap=True)
        self._out.print()

    # -- small things -------------------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def _say(self, said: str | None) -> None:
        """On the line that lives, on a terminal."""
        if not self._live:
            return
        if said is None:
            self._hush()
        elif self._status is None:
            self._status = self._out.status(Text(f" {said}", "yellow"), spinner_style="yellow")
            self._status.start()
        else:
            self._status.update(Text(f" {said}", "yellow"))

    def _hush(self) -> None:
        """End the living line."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def _tick(said: str) -> Text:
    return Text("✓  ", style="bold green").append(said, style="not bold default")


def _cross(said: str) -> Text:
    return Text("✗  ", style="bold red").append(said, style="not bold default")
