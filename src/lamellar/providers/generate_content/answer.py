"""An answer, gathered from the parts of one payload or of many.

What our types can say becomes one of them; any other part is kept whole as a `Custom`, and goes back as it came. A
signature belongs to the part it stands on and must go back on that part. So a part that carries one is never joined
with its neighbors, and the signature follows it as a `ThoughtSignature`: after a text (which may be empty: a stream
often ends with a signature on no text at all), after reasoning, after bytes. A call carries its own.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ...chat.content import Binary, ContentPart, Custom, Text, ThoughtSignature, ToolCall
from ...chat.events import (
    PROGRESS,
    Progress,
    StreamEvent,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from ..ordered_parts import OrderedParts
from .calls import made_id
from .parts import REPORTED

__all__ = ["Answer"]

_Events = list[StreamEvent | Progress]
_BYTES = frozenset(("inlineData", "thoughtSignature"))
_BLOB = frozenset(("mimeType", "data"))


class Answer:
    """The parts of one answer, in the order in which they began.

    Args:
        provider: The provider's namespace, for what is kept in its form.
        lift: Whether inline ``<think>`` blocks are reasoning.
    """

    __slots__ = ("_calls", "_parts", "_provider", "_reported", "response_id", "unread")

    def __init__(self, provider: str, *, lift: bool) -> None:
        self.response_id: str | None = None
        self.unread: str | None = None
        """What could not be read, once there was such a thing."""
        self._provider = provider
        self._parts = OrderedParts(lift=lift)
        self._calls = 0
        self._reported: dict[str, Any] = {}

    @property
    def has_calls(self) -> bool:
        """Whether the model asked for a tool."""
        return self._calls > 0

    @property
    def has_content(self) -> bool:
        """Whether anything was said, beside signatures and what the provider reports about it."""
        return any(not isinstance(part, ThoughtSignature) for part in self._parts.content())

    def add(self, content: object, out: _Events) -> None:
        """Add a candidate's content, and its events to `out`."""
        parts = content.get("parts") if isinstance(content, dict) else None
        if isinstance(parts, list):
            for part in parts:
                if isinstance(part, dict) and part:
                    self._part(part, out)

    def report(self, candidate: dict[str, Any], out: _Events) -> None:
        """Keep what the candidate says about its answer; a later word replaces an earlier one, citations add up."""
        for name in REPORTED:
            said = candidate.get(name)
            if not said:
                continue
            before = self._reported.get(name)
            if isinstance(before, dict) and isinstance(said, dict):
                self._reported[name] = {**before, **said} if name != "citationMetadata" else _cited(before, said)
            else:
                self._reported[name] = said
            out.append(PROGRESS)

    def finish(self, out: _Events) -> None:
        """Tell what was held back because it might have been a tag."""
        self._parts.finish(out)

    def content(self) -> tuple[ContentPart, ...]:
        """The parts."""
        parts = self._parts.content()
        parts.extend(Custom(model=self._provider, data={name: said}) for name, said in self._reported.items())
        return tuple(parts)

    def _part(self, part: dict[str, Any], out: _Events) -> None:
        text = part.get("text")
        if isinstance(text, str):
            thought = part.get("thought") is True
            signature = _signature(part)
            if signature is not None:
                self._signed_text(part, text, thought, signature, out)
            elif text:
                self._tell(thought, text, out)
            return
        if not part.keys() - {"text", "thought"}:
            return  # nothing is in it, and it would be refused if it went back
        self._parts.end_run()
        call = part.get("functionCall")
        if isinstance(call, dict) and isinstance(call.get("name"), str) and call["name"]:
            self._call(call, _signature(part), out)
            return
        if isinstance(call, dict) and ("partialArgs" in call or "willContinue" in call):
            self.unread = "arguments of a call came in pieces: leave `streamFunctionCallArguments` unset"
            return
        out.append(PROGRESS)
        binary = _binary_of(part)
        if binary is None:
            self._parts.part(Custom(model=self._provider, data=part))
        else:
            self._parts.part(binary)
            self._sign(_signature(part), out)

    def _tell(self, thought: bool, text: str, out: _Events) -> None:
        if thought:
            self._parts.reasoning(text, out)
        else:
            self._parts.text(text, out)

    def _signed_text(self, part: dict[str, Any], text: str, thought: bool, signature: str, out: _Events) -> None:
        self.finish(out)
        self._parts.end_run()
        if text:
            self._tell(thought, text, out)
            self.finish(out)
        elif thought:
            self._parts.part(Custom(model=self._provider, data=part))
            out.append(PROGRESS)
            return
        else:
            self._parts.part(Text(""))
        self._sign(signature, out)

    def _sign(self, signature: str | None, out: _Events) -> None:
        self._parts.end_run()
        if signature is not None:
            self._parts.part(ThoughtSignature(signature=signature))
            out.append(ThoughtSignatureChunk(signature))

    def _call(self, call: dict[str, Any], signature: str | None, out: _Events) -> None:
        if "partialArgs" in call or call.get("willContinue"):
            self.unread = "arguments of a call came in pieces: leave `streamFunctionCallArguments` unset"
            return
        said = call.get("id")
        call_id = said if isinstance(said, str) and said else made_id(self._calls, self.response_id)
        arguments = call.get("args")
        if arguments is None:
            arguments = {}
        self._parts.part(
            ToolCall(
                call_id=call_id,
                fn_name=call["name"],
                fn_arguments=arguments,
                thought_signatures=None if signature is None else (signature,),
            )
        )
        text = to_json(arguments, inf_nan_mode="constants").decode()
        out.append(ToolCallChunk(self._calls, call_id, call["name"], text))
        self._calls += 1


def _signature(part: dict[str, Any]) -> str | None:
    signature = part.get("thoughtSignature")
    return signature if isinstance(signature, str) and signature else None


def _binary_of(part: dict[str, Any]) -> Binary | None:
    """The bytes of a part that is nothing else: a picture of the model's thoughts, say, is more than its bytes."""
    blob = part.get("inlineData")
    if not isinstance(blob, dict) or not part.keys() <= _BYTES or blob.keys() != _BLOB:
        return None
    kind, data = blob["mimeType"], blob["data"]
    return Binary.from_base64(kind, data) if isinstance(kind, str) and isinstance(data, str) else None


def _cited(before: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Citations of two payloads: each tells those of its own text, some tell the earlier ones again."""
    whole = dict(before)
    for name, value in said.items():
        old = whole.get(name)
        if isinstance(old, list) and isinstance(value, list):
            whole[name] = [*old, *(entry for entry in value if entry not in old)]
        else:
            whole[name] = value
    return whole
