"""A thousand files that somebody might hand in by mistake: each is a stack, or a `ConfigError` that says why not.

Most are valid stacks of every registered kind with something changed in their structure; the others have their text
changed. What is changed is drawn from a fixed seed, so that a failure comes again.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from random import Random
from typing import Any

import pytest
import tomli_w
import yaml

from lamellar.errors import ConfigError
from lamellar.providers import OpenAI
from lamellar.spec import LayerSpec, dump_spec
from lamellar.stack import Stack

from .specimens import every_spec

FILES = 1000
FORMATS = ("yaml", "toml", "json")
JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    3.7,
    10**30,
    float("inf"),
    float("nan"),
    "",
    "3",
    "no",
    "retry",
    "opnai",
    "10s",
    "-5s",
    "64MB",
    "500/min",
    "no.module:here",
    "\x00",
    "x" * 5000,
    "ключ",
    [],
    {},
    [[]],
    {"": 1},
    {"use": "base"},
    {"use": "nobody"},
    {"use": 3},
    {"env": "NO_SUCH_VARIABLE"},
    {"env": "NO_SUCH_VARIABLE", "default": 3},
    {"env": "PATH"},
    {"env": None},
    {"file": "/nowhere/at/all"},
    {"file": "/"},
    {"file": "\x00"},
    {"stack": {"layers": ["retry"], "executor": "openai"}},
    {"fallback": {"targets": [{"use": "base"}]}},
    {"retry": {}, "timeout": {}},
)
SCRAPS = (
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    "'",
    "\n",
    " ",
    "- ",
    "&a ",
    "*a",
    "!!x ",
    "<<: ",
    "\x00",
    "\ud800",
    "---\n",
    "#",
)


def documents() -> list[dict[str, Any]]:
    """A valid document of one stack for each option of each kind, and of several stacks that use each other."""
    found = []
    for _, spec in every_spec():
        data = json.loads(json.dumps(dump_spec(spec)))
        layer = isinstance(spec, LayerSpec)
        stack = {"layers": [data], "executor": "openai"} if layer else {"layers": ["retry"], "executor": data}
        used = {"layers": [{"use": "group"}, {"use": "one"}], "executor": {"use": "one"}}
        stacks = {"one": stack, "two": used, "group": {"layers": ["timeout"]}}
        found += [{"version": 1, **stack}, {"version": 1, "default": "two", "stacks": stacks}]
    return found


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every entry of a tree, as what holds it and its key."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, each in entries for found in ((node, key), *places(each))]


def change(data: dict[str, Any], rng: Random) -> None:
    """Change something in the structure."""
    spots = places(data)
    if not spots:
        return
    holder, key = rng.choice(spots)
    act = rng.randrange(7)
    if act == 0:
        del holder[key]
    elif act == 1:
        holder[key] = copy.deepcopy(rng.choice(JUNK))
    elif act == 2:
        holder[key] = [holder[key]]
    elif act == 3:
        holder[key] = {rng.choice(("openai", "retry", "use", "env", "layers", "x")): holder[key]}
    elif act == 4 and isinstance(holder, dict):
        name = str(key)
        at = rng.randrange(len(name) or 1)
        holder[name[:at] + rng.choice(("", "x", ".", " ", "::")) + name[at + 1 :]] = holder.pop(key)
    elif act == 5:
        other, place = rng.choice(spots)
        holder[key] = copy.deepcopy(other[place]) if place in other or isinstance(place, int) else None
    elif isinstance(holder, dict):
        holder[rng.choice(("layers", "executor", "use", "model", "version", "extra"))] = copy.deepcopy(rng.choice(JUNK))
    else:
        holder.append(copy.deepcopy(rng.choice(JUNK)))


def scramble(text: str, rng: Random) -> str:
    """Change something in the text."""
    begin = rng.randrange(len(text) + 1)
    end = min(len(text), begin + rng.randrange(1, 20))
    piece = rng.choice(("", rng.choice(SCRAPS), text[begin:end] * 2, rng.choice(SCRAPS) * rng.randrange(1, 300)))
    return text[:begin] + piece + text[end:]


def without_none(value: Any) -> Any:
    """TOML has no null."""
    if isinstance(value, dict):
        return {name: without_none(each) for name, each in value.items() if each is not None}
    return [without_none(each) for each in value if each is not None] if isinstance(value, list) else value


def write(data: dict[str, Any], format_: str) -> str:
    if format_ == "toml":
        return tomli_w.dumps(without_none(data))
    return json.dumps(data) if format_ == "json" else yaml.safe_dump(data, sort_keys=False)


@cache
def files() -> tuple[tuple[str, str], ...]:
    """Formats and texts."""
    rng = Random(6)
    seeds = documents()
    found = []
    for number in range(FILES):
        data, format_ = copy.deepcopy(rng.choice(seeds)), FORMATS[number % 3]
        if number % 5 < 3:
            for _ in range(rng.randrange(1, 4)):
                change(data, rng)
            text = write(data, format_)
        else:
            text = write(data, format_)
            for _ in range(rng.randrange(1, 4)):
                text = scramble(text, rng)
        found.append((format_, text))
    return tuple(found)


def test_the_seeds_are_stacks() -> None:
    stack = {"version": 1, "layers": ["retry"], "executor": "openai"}
    assert Stack.loads(write(stack, "toml"), "toml").executor == OpenAI()
    for data in documents()[:: len(documents()) // 40]:
        for format_ in FORMATS:
            Stack.loads(write(data, format_), format_)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", range(10))
def test_a_file_is_a_stack_or_the_error_says_why_not(part: int) -> None:
    refused = []
    for format_, text in files()[part::10]:
        try:
            Stack.loads(text, format_)  # type: ignore[arg-type]
        except ConfigError as error:
            refused.append(error)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}\nof the {format_} file\n{text[:3000]}") from error
    assert all(problem for error in refused for problem in error.problems)
    assert len(refused) > 20  # what is changed is wrong, more often than not
