"""Finding secrets and personal data in a text: one function a kind, and what of it overlaps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from lamellar.masking import secret_spans

if TYPE_CHECKING:
    from .spec import BuiltIn

__all__ = ["Finder", "Found", "find_all", "finders"]

Finder = Callable[[str], Iterator[tuple[int, int]]]
"""Begin and end of each thing of one kind in a text."""


class Found(NamedTuple):
    """Something that was found.

    Args:
        start: Where it begins.
        end: Where it ends.
        name: What it is.
    """

    start: int
    end: int
    name: str


# An address is looked for only where a word begins, so that a long text without one is read once.
_EMAIL = r"(?<![\w.+%'-])[\w.+%-]+(?:'[\w.+%-]+)*@[\w-]+(?:\.[\w-]+)+|(?<=')[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"
# International: a plus or 00, then 7 to 15 digits; North American: 3, 3 and 4 digits, with something between them.
_PHONE = (
    r"(?<![\w.+])(?:\+|00)[1-9](?:[ .\-()/]{0,2}\d){6,14}(?!\d)"
    r"|(?<![\w.+-])(?:\+?1[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.\d)"
# Numbers that were never given out are none: https://www.ssa.gov/employer/randomization.html
_SSN = r"(?<![\w-])(?!000|666|9)\d{3}([- ])(?!00)\d\d\1(?!0000)\d{4}(?![\w-])"
_MORE_KEYS = (
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\s:,-]*?-----END [A-Z ]{0,40}PRIVATE KEY-----"
    r"|\bxox[abeoprs]-[\w-]{10,}|\bglpat-[\w-]{16,}"
)
_DIGITS = r"\d(?:[ .\-\u00a0]?\d)*"
_LEAST_DIGITS, _MOST_DIGITS = 13, 19
_IBAN = r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){10,40}"


def finders(patterns: tuple[BuiltIn, ...], custom: dict[str, str]) -> dict[str, Finder]:
    """What looks for these kinds, by the names of their placeholders."""
    found: dict[str, Finder] = {name.upper(): _BUILT_IN[name] for name in patterns}
    for name, pattern in custom.items():
        found[name.upper()] = _by_pattern(pattern)
    return found


def find_all(text: str, finders: dict[str, Finder]) -> list[Found]:
    """Everything that any of them finds, in order; what overlaps is one thing, called after what begins first."""
    found = sorted(
        (Found(start, end, name) for name, find in finders.items() for start, end in find(text) if end > start),
        key=lambda each: (each.start, -each.end),
    )
    apart: list[Found] = []
    for each in found:
        if apart and each.start < apart[-1].end:
            # The rest of what overlaps would stay behind as it is.
            apart[-1] = apart[-1]._replace(end=max(apart[-1].end, each.end))
        else:
            apart.append(each)
    return apart


def _by_pattern(pattern: str) -> Finder:
    def find(text: str) -> Iterator[tuple[int, int]]:
        for match in re.finditer(pattern, text):  # compiled when first needed, and kept by `re`
            yield match.span()

    return find


def _find_keys(text: str) -> Iterator[tuple[int, int]]:
    yield from secret_spans(text)
    for match in re.finditer(_MORE_KEYS, text):
        yield match.span()


def _find_cards(text: str) -> Iterator[tuple[int, int]]:
    """Card numbers in runs of digits: a card may stand beside other numbers, with nothing but a blank between."""
    for run in re.finditer(_DIGITS, text):
        if len(run[0]) < _LEAST_DIGITS:
            continue
        groups = [each.span() for each in re.finditer(r"\d+", run[0])]
        begin = 0
        while begin < len(groups):
            count = _groups_of_card(run[0], groups, begin)
            if count:
                yield run.start() + groups[begin][0], run.start() + groups[begin + count - 1][1]
            begin += count or 1


def _groups_of_card(text: str, groups: list[tuple[int, int]], begin: int) -> int:
    """How many groups of digits from `begin` on are the longest card number there; 0 where there is none."""
    if not 2 <= int(text[groups[begin][0]]) <= 6:  # nobody else's first digit is on a card that pays
        return 0
    digits: list[int] = []
    longest = 0
    for count, (start, end) in enumerate(groups[begin : begin + _MOST_DIGITS], 1):
        if len(digits) + end - start > _MOST_DIGITS:
            break
        digits += map(int, text[start:end])
        if len(digits) >= _LEAST_DIGITS and _luhn(digits):
            longest = count
    return longest


def _luhn(digits: list[int]) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _find_ibans(text: str) -> Iterator[tuple[int, int]]:
    """Account numbers; words may follow one with nothing but a blank between, so its end is where the digits check."""
    iban, position = re.compile(_IBAN), 0
    while (match := iban.search(text, position)) is not None:
        ends = [each.end() for each in re.finditer(r"[A-Za-z0-9]+", match[0])]
        right = next((end for end in reversed(ends) if _is_iban(match[0][:end].replace(" ", ""))), None)
        whole = right is not None and not text[match.start() + right : match.start() + right + 1].isalnum()
        if right is not None and whole:
            yield match.start(), match.start() + right
            position = match.start() + right
        else:
            position = match.start() + 4


def _is_iban(text: str) -> bool:
    if not (15 <= len(text) <= 34 and text.isascii() and text.isalnum()):
        return False
    moved = text[4:] + text[:4]
    return int("".join([str(int(each, 36)) for each in moved])) % 97 == 1


_BUILT_IN: dict[BuiltIn, Finder] = {
    "email": _by_pattern(_EMAIL),
    "phone": _by_pattern(_PHONE),
    "credit_card": _find_cards,
    "iban": _find_ibans,
    "ipv4": _by_pattern(_IPV4),
    "ssn": _by_pattern(_SSN),
    "api_key": _find_keys,
}
