"""Which placeholder stands for which value, in one call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from .finders import Finder, find_all

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["Restorer", "Vault"]


_MOST = 10**40
"""No card, no telephone and no account has a number as large; Python refuses to write much larger ones."""


class Vault:
    """The values of one call.

    Args:
        template: What a placeholder looks like.
        finders: What looks for values, by the name in their placeholders.
        request: The whole request as text, asked for when the first value is found: what stands there by itself is
            never taken for a placeholder.
    """

    __slots__ = ("_any", "_finders", "_numbers", "_placeholders", "_request", "_said", "_template", "values")

    def __init__(self, template: str, finders: dict[str, Finder], request: Callable[[], str]) -> None:
        self.values: dict[str, str] = {}
        self._template = template
        self._finders = finders
        self._request = request
        self._said: str | None = None
        self._numbers: dict[str, int] = {}
        self._placeholders: dict[str, str] = {}
        first, last = re.escape(template[0]), re.escape(template[-1])
        self._any = re.compile(f"{first}[^{first}{last}]+{last}")

    def hide(self, text: str) -> str:
        """`text` with placeholders for what was found in it; the same object where nothing was."""
        found = find_all(text, self._finders)
        if not found:
            return text
        pieces, position = [], 0
        for each in found:
            pieces += [text[position : each.start], self._placeholder(text[each.start : each.end], each.name)]
            position = each.end
        return "".join([*pieces, text[position:]])

    def hide_in(self, value: JsonValue) -> JsonValue:
        """A JSON value with placeholders in all its texts, names and whole numbers."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST:
            hidden = self.hide(text := str(value))
            return value if hidden is text else hidden
        if isinstance(value, dict):
            return {self.hide(name): self.hide_in(each) for name, each in value.items()}
        return [self.hide_in(each) for each in value] if isinstance(value, list) else value

    def show(self, text: str) -> str:
        """`text` with the values in the place of their placeholders."""
        return self._any.sub(self._value, text)

    def show_in(self, value: JsonValue) -> JsonValue:
        """A JSON value with the values in it."""
        if isinstance(value, str):
            return self.show(value)
        if isinstance(value, dict):
            return {self.show(name): self.show_in(each) for name, each in value.items()}
        return [self.show_in(each) for each in value] if isinstance(value, list) else value

    def show_in_json(self, text: str) -> str:
        """JSON text, or a fragment of it, with the values in it, written as JSON writes them."""
        return self._any.sub(self._escaped, text)

    def begins_one(self, text: str) -> bool:
        """Whether this may go on to be a placeholder."""
        return any(placeholder.startswith(text) for placeholder in self.values)

    @property
    def opening(self) -> str:
        """The sign with which every placeholder begins, and which is nowhere else in it."""
        return self._template[0]

    def _placeholder(self, value: str, name: str) -> str:
        known = self._placeholders.get(value)
        if known is not None:
            return known
        if self._said is None:
            self._said = self._request()
        while True:
            number = self._numbers[name] = self._numbers.get(name, 0) + 1
            made = self._template.replace("{name}", name).replace("{number}", str(number))
            if made not in self.values and made not in self._said:
                break
        self._placeholders[value] = made
        self.values[made] = value
        return made

    def _value(self, match: re.Match[str]) -> str:
        return self.values.get(match[0], match[0])

    def _escaped(self, match: re.Match[str]) -> str:
        value = self.values.get(match[0])
        return match[0] if value is None else json.dumps(value, ensure_ascii=False)[1:-1]


class Restorer:
    """Puts values into a text that comes in pieces: the beginning of a placeholder is held until the rest of it comes.

    Args:
        vault: The values.
        show: Its method for this kind of text.
    """

    __slots__ = ("_held", "_show", "_vault")

    def __init__(self, vault: Vault, show: Callable[[str], str]) -> None:
        self._vault = vault
        self._show = show
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be told after this piece."""
        text = self._held + piece
        place = text.rfind(self._vault.opening)
        if place >= 0 and self._vault.begins_one(text[place:]) and text[place:] not in self._vault.values:
            self._held = text[place:]
            return self._show(text[:place])
        self._held = ""
        return self._show(text)

    def rest(self) -> str:
        """What was held, for nothing more will come."""
        held, self._held = self._held, ""
        return held
