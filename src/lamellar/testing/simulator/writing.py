"""What the wire formats that write JSON have in common: pieces of a text, words of a finish, counts of tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydantic import JsonValue

from lamellar.chat.content import ToolCall

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["Counted", "arguments_of", "counted", "dumped", "finish_of", "pieces_of", "text_pieces"]


class Counted(NamedTuple):
    """Tokens, as far as words and pieces can stand for them.

    Args:
        prompt: Those of the request.
        said: Those of the answer, `thought` included.
        thought: Those of its reasoning.
    """

    prompt: int
    said: int
    thought: int


def dumped(value: JsonValue) -> bytes:
    """JSON without a blank, as most servers write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def pieces_of(text: str, size: int | None) -> list[str]:
    """A text in pieces of so many characters; None cuts it into words, each with the blanks before it."""
    if size is None:
        return re.findall(r"\s*\S+|\s+", text)
    return [text[start : start + size] for start in range(0, len(text), size)]


def text_pieces(answer: Answer) -> Sequence[str]:
    """The pieces in which an answer's text is streamed: those it asks for, or as its size says."""
    return answer.chunks if answer.chunks is not None else pieces_of(answer.text, answer.chunk_size)


def arguments_of(call: ToolCall) -> str:
    """A call's arguments as JSON text."""
    if isinstance(call.fn_arguments, str):
        return call.fn_arguments
    return "{}" if call.fn_arguments is None else json.dumps(call.fn_arguments, ensure_ascii=False)


def finish_of(answer: Answer, words: Mapping[str, str]) -> str:
    """Why an answer stops, in a provider's words; a reason that has none there stands as it is."""
    reason = str(answer.stop_reason or ("tool_call" if answer.tool_calls else "completed"))
    return words.get(reason, reason)


def counted(answer: Answer, request: RequestLog) -> Counted:
    """The tokens of an answer to a request with `messages`."""
    prompt = sum(len(str(message.get("content") or "").split()) for message in request.messages)
    thought = len(pieces_of(answer.reasoning or "", answer.chunk_size))
    called = sum(len(arguments_of(call)) // 4 + 1 for call in answer.tool_calls)
    return Counted(prompt, len(text_pieces(answer)) + thought + called, thought)
