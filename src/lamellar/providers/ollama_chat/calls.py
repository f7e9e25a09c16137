"""Tool calls and the answers that must find them.

Ollama's servers before 0.12 send calls without an id. Everything else here tells calls apart by their ids, so such a
call gets one, made from its position and the time its answer was made. A made id stays on this side.

Answers are told apart by the tool's name and by their order. So those of one turn are put into the order of the calls,
however the tools finished, and each gets the name of its call.
"""

from __future__ import annotations

import re

__all__ = ["made_id", "sent_id"]

_MADE = "ollama_call_"
_OTHER = re.compile(r"[^0-9A-Za-z]")
_KEPT = 32
"""Characters of the time that are kept."""


def made_id(position: int, created_at: object) -> str:
    """The id of a call that came without one: the same whenever the same answer is read.

    Args:
        position: Which call of the answer, from 0.
        created_at: The time that the payload with the call tells, which makes the calls of different turns differ.
    """
    time = _OTHER.sub("", created_at[:_KEPT]) if isinstance(created_at, str) else ""
    return f"{_MADE}{position}_{time}" if time else f"{_MADE}{position}"


def sent_id(call_id: str) -> str | None:
    """The id as it goes back; None for one that was made here, or is empty."""
    return None if not call_id or call_id.startswith(_MADE) else call_id
