"""`lamellar check`: what is doubtful in the stacks of files, and what one call of each may come to."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ..errors import ConfigError
from ..lint import Bounds, Finding
from .completion import stack_names
from .report import FAILED, USAGE, tell
from .terminal import console, plain

if TYPE_CHECKING:
    from ..config.nodes import Mark

__all__ = ["check"]

_COLORS = {"error": "bold red", "warning": "bold yellow", "hint": "bold cyan"}
_NEEDS_KEYS = "missing-key"


@dataclass(frozen=True, slots=True)
class _Told:
    """A finding, and where in which file it belongs."""

    finding: Finding
    mark: Mark
    path: str


@dataclass(frozen=True, slots=True)
class _Stack:
    """What is said of one stack."""

    name: str
    bounds: Bounds
    told: tuple[_Told, ...]


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Stack files: YAML, TOML or JSON.")],
    name: Annotated[
        str | None,
        typer.Option(
            "-s",
            "--stack",
            metavar="NAME",
            autocompletion=stack_names,
            help="Only this stack, in a file that holds several.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with all that was found.")] = False,
    keys: Annotated[
        bool, typer.Option("--keys", help="Fail where a key is missing. Without it, that is only a hint.")
    ] = False,
) -> int:
    """Check stack files before they are used.

    Every stack of every file is loaded and linted; nothing is built, no key is needed and no provider is asked. For
    each stack it tells the most that one call may come to: how many provider calls, and how many seconds of waiting.
    Each finding has a place, a code and a mend; the documentation has a section on each code.
    """
    found: dict[str, list[_Stack] | ConfigError] = {}
    for file in dict.fromkeys(files):
        try:
            found[file] = _checked(file, name, keys=keys)
        except ConfigError as error:
            found[file] = error
    if as_json:
        sys.stdout.write(json.dumps(_data(found), indent=2, ensure_ascii=False) + "\n")
    else:
        _show(found)
    if any(isinstance(each, ConfigError) for each in found.values()):
        return USAGE
    severities = {told.finding.severity for told in _all(found)}
    return FAILED if "error" in severities or (strict and "warning" in severities) else 0


check.__dict__["epilog"] = """\b
Examples:
  lamellar check stack.yaml
  lamellar check --strict stacks/*.yaml        in CI: warnings fail too
  lamellar check --keys stack.yaml             where it is to run: are all keys there?
  lamellar check --json stack.yaml | jq '.files[].stacks[].findings'

\b
Exit codes:
  0  nothing was found, or nothing worse than warnings
  1  errors were found, or with --strict warnings
  2  a file cannot be read, or is no stack
"""


def _checked(file: str, name: str | None, *, keys: bool) -> list[_Stack]:
    """What is said of each stack of a file, or of the one called `name`.

    Raises:
        ConfigError: The file, or what it says, is wrong.
    """
    from ..config.placing import placings
    from ..stack import Stack

    stacks = Stack.load_all(file)
    if name is not None:
        stacks = {name: stacks[name] if name in stacks else Stack.load(file, name)}
    places = placings(file)
    said = []
    for called, stack in stacks.items():
        told = tuple([_Told(_weighed(each, keys=keys), *places[called](each.path)) for each in stack.lint()])
        said.append(_Stack(called, stack.bounds(), told))
    return said


def _weighed(finding: Finding, *, keys: bool) -> Finding:
    """A missing key is an error where keys are asked for; elsewhere, as in CI, there may be none at all."""
    return replace(finding, severity="error" if keys else "hint") if finding.code == _NEEDS_KEYS else finding


def _all(found: dict[str, list[_Stack] | ConfigError]) -> list[_Told]:
    return [told for each in found.values() if isinstance(each, list) for stack in each for told in stack.told]


# -- shown ------------------------------------------------------------------------------------------------------


def _show(found: dict[str, list[_Stack] | ConfigError]) -> None:
    out = console()
    for file, each in found.items():
        if isinstance(each, ConfigError):
            tell(each)
            continue
        for stack in each:
            out.print(Text(f"{plain(file)}: {plain(stack.name)}: {plain(str(stack.bounds))}"), soft_wrap=True)
            for told in stack.told:
                finding = told.finding
                line = Text(f"{plain(str(told.mark))}: ")
                line.append(finding.severity, style=_COLORS[finding.severity])
                line.append(f": {plain(told.path)}: {plain(finding.message)} [{finding.code}]")
                out.print(line, soft_wrap=True)
                out.print(Text(f"    {plain(finding.mend)}"), soft_wrap=True)
    out.print(Text(_summary(found)), soft_wrap=True)


def _summary(found: dict[str, list[_Stack] | ConfigError]) -> str:
    stacks = sum(len(each) for each in found.values() if isinstance(each, list))
    unread = sum(isinstance(each, ConfigError) for each in found.values())
    counts = {severity: sum(told.finding.severity == severity for told in _all(found)) for severity in _COLORS}
    said = [_count(number, severity) for severity, number in counts.items() if number]
    said += [f"{_count(unread, 'file')} that cannot be used"] if unread else []
    return f"{_count(stacks, 'stack')}: {', '.join(said) or 'nothing found'}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _data(found: dict[str, list[_Stack] | ConfigError]) -> dict[str, Any]:
    return {"files": [{"file": file, **_file_data(each)} for file, each in found.items()]}


def _file_data(found: list[_Stack] | ConfigError) -> dict[str, Any]:
    if isinstance(found, ConfigError):
        return {"problems": list(found.problems), "stacks": []}
    return {
        "problems": [],
        "stacks": [
            {
                "name": stack.name,
                "bounds": asdict(stack.bounds),
                "findings": [_finding_data(each) for each in stack.told],
            }
            for stack in found
        ],
    }


def _finding_data(told: _Told) -> dict[str, Any]:
    mark = told.mark
    return {
        "file": mark.source.name,
        "line": mark.line,
        "column": mark.column,
        **asdict(told.finding),
        "path": told.path,
        "docs": told.finding.docs,
    }
