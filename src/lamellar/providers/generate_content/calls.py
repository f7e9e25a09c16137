"""Tool calls that have no id, and the answers that must find them.

Older models, and newer ones now and then, send a call without an id. Everything else here tells calls apart by their
ids, so such a call gets one, made from its position in the answer and from the answer's own id. A made id stays on this
side: it is not sent back, for some of Google's servers do not know the field. What Gemini gave goes back.

Without ids Google matches the answers to the calls by order and by name. So the answers of one turn are put into the
order of the calls, however the tools finished, and each must have a name: its own, or its call's.
"""

from __future__ import annotations

import re

__all__ = ["made_id", "sent_id"]

_MADE = "gemini_call_"
_PLAIN = re.compile(r"[\w\-]{1,64}\Z", re.ASCII)


def made_id(position: int, response_id: str | None) -> str:
    """The id of a call that came without one: the same whenever the same answer is read.

    Args:
        position: Which call of the answer, from 0.
        response_id: The answer's id, which makes the calls of different turns differ: other providers demand that.
    """
    plain = response_id is not None and _PLAIN.match(response_id)
    return f"{_MADE}{position}_{response_id}" if plain else f"{_MADE}{position}"


def sent_id(call_id: str) -> str | None:
    """The id as it goes back to Google; None for one that was made here, or is empty."""
    return None if not call_id or call_id.startswith(_MADE) else call_id
