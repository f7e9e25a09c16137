"""How the demo looks: the stack, each scene as it happens, the attempts, and what was proved."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rich.status import Status
from rich.text import Text

from ..attempts import print_attempts
from ..terminal import console, seconds
from .scenes import FIRST_CONTENT, RETRY_AFTER

if TYPE_CHECKING:
    from .scenes import Scene
    from .theatre import Happening, Run

__all__ = ["Show", "Silent"]

_INDENT = "   "
_SIGNS = {"request": "→", "reply": "←", "left": "×"}  # noqa: RUF001 -- a cross it is
_COLOURS = {"primary": "cyan", "backup": "magenta"}


class Silent:
    """Nobody watches: `--json` prints the facts alone."""

    def opening(self, yaml: str) -> None:
        """The stack."""

    def scene(self, number: int, scene: Scene) -> None:
        """A scene begins."""

    def happened(self, happening: Happening) -> None:
        """Something happened at a provider."""

    def waiting(self, happenings: Sequence[Happening], now: float) -> None:
        """Nothing new."""

    def piece(self, text: str) -> None:
        """A piece of the answer."""

    def verdict(self, run: Run, facts: dict[str, Any]) -> None:
        """What the scene proved."""

    def closing(self, facts: dict[str, Any]) -> None:
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

    # -- before and after ---------------------------------------------------------------------------------------

    def opening(self, yaml: str) -> None:
        """What there is, and the stack file."""
        out = self._out
        out.print()
        out.print(Text("Lamellar", style="bold").append("  small executors, laced into one", style="not bold dim"))
        out.print()
        out.print("Two providers now run on this machine. They speak HTTP and misbehave on cue.")
        out.print("In front of them stands this stack, loaded from a file:")
        out.print()
        shown = Text(textwrap.indent(yaml.rstrip(), _INDENT))
        shown.highlight_regex(r"[\w-]+(?=:(\s|$))", "blue")
        for name, colour in _COLOURS.items():
            shown.highlight_regex(rf"(?<=name: ){name}", colour)
        out.print(shown, soft_wrap=True)

    def closing(self, facts: dict[str, Any]) -> None:
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
            ("Your own stack", 'lamellar chat -c stack.yaml -m MODEL "Hello"'),
            ("In Python", "the front page of README.md"),
        ):
            out.print(Text(f"{_INDENT}{what:<19}", style="dim").append(how, style="not dim"))
        out.print()

    # -- a scene ------------------------------------------------------------------------------------------------

    def scene(self, number: int, scene: Scene) -> None:
        """The heading, the story and the question."""
        out = self._out
        self._question = scene.question
        self._column, self._in_text = 0, False
        out.print()
        out.print(Text(f"{number}  ", style="dim").append(scene.title, style="not dim bold"))
        out.print(Text(_INDENT + scene.story, style="dim"))
        out.print()

    def happened(self, happening: Happening) -> None:
        """One line of the wire."""
        self._hush()
        if self._in_text:  # the answer is being shown: nothing may come between
            return
        line = Text(f"{_INDENT}{happening.at:5.2f} s  ", style="dim")
        line.append(f"{_SIGNS[happening.what]} ", style="not dim")
        line.append(f"{happening.provider:<9}", style=f"not dim {_COLOURS[happening.provider]}")
        line.append_text(_told(happening))
        self._out.print(line, soft_wrap=True)

    def waiting(self, happenings: Sequence[Happening], now: float) -> None:
        """On a terminal, what is being waited for, with the seconds left."""
        if not self._live or self._in_text:
            return
        said = _wait(happenings, now)
        if said is None:
            self._hush()
        elif self._status is None:
            self._status = status = self._out.status(Text(f" {said}", "yellow"), spinner_style="yellow")
            status.start()
        else:
            self._status.update(Text(f" {said}", "yellow"))

    def piece(self, text: str) -> None:
        """A piece of the answer, wrapped by hand: the rest of its line is not known yet."""
        self._hush()
        if not self._in_text:
            self._in_text = True
            self._out.print(Text(f"\n{_INDENT}│ {self._question}", style="dim"))
            self._write(f"{_INDENT}│ ")
            self._column = len(_INDENT) + 2
        if self._column + len(text.rstrip()) > min(self._out.width, 100) - 2:
            self._write(f"\n{_INDENT}│ ")
            text = text.lstrip()
            self._column = len(_INDENT) + 2
        self._write(text)
        self._column += len(text)

    def verdict(self, run: Run, facts: dict[str, Any]) -> None:
        """The attempts, and what they prove."""
        self._hush()
        if self._in_text:
            self._write("\n")
        self._in_text = False
        out = self._out
        out.print()
        print_attempts(out, run.attempts, indent=len(_INDENT))
        out.print()
        if facts["ok"]:
            out.print(_tick(_proved(facts)))
        for name, passed in facts["checks"].items():
            if not passed:
                out.print(_cross(f"Not so: {name.replace('_', ' ')}."))
        if run.error is not None:
            out.print(Text(f"{_INDENT}{run.error}", style="red"))

    # -- small things -------------------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def _hush(self) -> None:
        """End the living line."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def _told(happening: Happening) -> Text:
    request = happening.request
    if happening.what == "request":
        return Text(f"asks {request.model}", style="not dim")
    if happening.what == "left":
        return Text("given up: no content in time, connection closed", style="not dim yellow")
    phrase = HTTPStatus(request.status or 0).phrase
    if request.status == 200:
        return Text(f"200 {phrase}", style="not dim green")
    hint = f", retry-after: {RETRY_AFTER:g}" if "retry-after" in request.reply else ""
    return Text(f"{request.status} {phrase}{hint}", style="not dim yellow")


def _wait(happenings: Sequence[Happening], now: float) -> str | None:
    """What is being waited for, as the logs have it."""
    if not happenings:
        return None
    last = happenings[-1]
    since = now - last.at
    if last.what == "request" and since > 0.15:
        return f"silence for {since:.1f} s; the limit is {FIRST_CONTENT:g} s"
    if last.what == "reply" and last.request.status == 429:
        return f"waiting, as asked: {max(RETRY_AFTER - since, 0):.1f} s to go"
    if last.what == "reply" and last.request.status == 503:
        return f"backing off: {since:.1f} s"
    return None


def _proved(facts: dict[str, Any]) -> str:
    match facts["scene"]:
        case "stream":
            first, more = seconds(facts["first_piece_at"]), facts["pieces"] - 1
            return f"First word after {first}, then {more} more pieces."
        case "retry_after":
            return f"The next request came {facts['gap_after_429']:.2f} s after the 429, no sooner than asked."
        case "fallback":
            return "Two tries at the primary, then the backup; its text arrived to the letter."
        case _:
            return f"Given up after {facts['given_up_after']:.2f} s, asked only once, and nothing left open."


def _tick(said: str) -> Text:
    return Text("✓  ", style="bold green").append(said, style="not bold default")


def _cross(said: str) -> Text:
    return Text("✗  ", style="bold red").append(said, style="not bold default")
