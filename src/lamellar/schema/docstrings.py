"""What docstrings say of a model and of its options; an option without words of its own has its base class's."""

from __future__ import annotations

import inspect
import re
from functools import cache

__all__ = ["option_texts", "summary"]

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example|Examples|Note|Notes):[ \t]*$", re.MULTILINE)
_OPTION = re.compile(r"^ {4}(\w+)(?: \([^)]*\))?:[ \t]*(.*(?:\n(?: {5,}.*)?$)*)", re.MULTILINE)
_REFERENCE = re.compile(r"See `\w+`")
_TICKS = re.compile(r"`{1,2}")


def summary(model: type) -> str:
    """What the model is, in its own words, the sections left out; nothing where it says nothing."""
    text = _own_text(model)
    found = _SECTION.search(text)
    return _plain(text[: found.start()] if found else text)


@cache
def option_texts(model: type) -> dict[str, str]:
    """What is said of each option, by name."""
    told: dict[str, str] = {}
    for each in reversed(model.__mro__):
        for name, text in _options(_own_text(each)).items():
            if name not in told or not _REFERENCE.match(text):
                told[name] = text
    return told


def _own_text(model: type) -> str:
    return inspect.cleandoc(vars(model).get("__doc__") or "")


def _options(text: str) -> dict[str, str]:
    begin = re.search(r"^Args:[ \t]*\n", text, re.MULTILINE)
    if begin is None:
        return {}
    rest = text[begin.end() :]
    end = _SECTION.search(rest)
    return {each[1]: _plain(each[2]) for each in _OPTION.finditer(rest[: end.start()] if end else rest)}


def _plain(text: str) -> str:
    """Paragraphs without the line breaks of the source, and code without the double ticks."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(_TICKS.sub("`", " ".join(each.split())) for each in paragraphs if each.strip())
