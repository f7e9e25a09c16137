"""The sentences of the demo: what happened at a provider, what is being waited for, and what a scene proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ..terminal import seconds
from .scenes import FIRST_CONTENT, RETRY_AFTER

if TYPE_CHECKING:
    from .watch import Happening

__all__ = ["proved", "told", "waited_for"]


def told(happening: Happening) -> Text:
    """What happened."""
    request = happening.request
    if happening.what == "request":
        return Text(f"asks {request.model} at {request.path}", style="not dim")
    if happening.what == "left":
        return Text("given up: no content in time, connection closed", style="not dim yellow")
    phrase = HTTPStatus(request.status or 0).phrase
    if request.status == 200:
        return Text(f"200 {phrase}", style="not dim green")
    hint = f", retry-after: {RETRY_AFTER:g}" if "retry-after" in request.reply else ""
    return Text(f"{request.status} {phrase}{hint}", style="not dim yellow")


def waited_for(happenings: Sequence[Happening], now: float) -> str | None:
    """What is being waited for, as the logs have it; None for nothing worth a word."""
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


def proved(facts: Mapping[str, Any]) -> str:
    """What a scene proved, in one line."""
    match facts["scene"]:
        case "stream":
            first, more = seconds(facts["first_piece_at"]), facts["pieces"] - 1
            return f"First word after {first}, then {more} more pieces."
        case "cache":
            return f"Answered in {seconds(facts['hit_took'])}, to the letter, and neither provider was asked."
        case "retry_after":
            return f"The next request came {facts['gap_after_429']:.2f} s after the 429, no sooner than asked."
        case "fallback":
            return "Two tries at the primary, then the backup; its text arrived to the letter."
        case "silence":
            return f"Given up after {facts['given_up_after']:.2f} s, asked only once, and nothing left open."
        case _:
            last = seconds(facts["longest_wait"])
            return f"First come, first served; the last waited {last}, and none was refused."
