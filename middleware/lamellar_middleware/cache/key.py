"""The key of an answer: everything that could make it another one, and nothing else.

A key is the SHA-256 of: the version of this scheme, the namespace, the identity of what stands inside the layer, the
model that the caller asks for, the whole request, and the options that are sent. The order of names in JSON objects
does not count. What the caller says to the stack (`call`), flags that say what is kept, and credentials in headers
do not either; so two callers with different keys of their own share answers, unless a namespace keeps them apart.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic_core import PydanticSerializationError

from lamellar.chat.content import Binary, ReasoningContent, Text, ThoughtSignature
from lamellar.identity import identity_of_options

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest

__all__ = ["KeyMaker"]

_SCHEME = "lamellar cache 1"

_PLAIN = frozenset({Text, Binary, ReasoningContent, ThoughtSignature})
"""Parts without a JSON value of the user's in them: their fields always stand in the same order."""

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class KeyMaker:
    """Makes the keys of one cache; what is the same for all its calls is hashed once.

    Args:
        namespace: What keeps the answers of one user of a store from another's.
        identity: What stands inside the layer.
    """

    __slots__ = ("_prefix",)

    def __init__(self, namespace: str, identity: object) -> None:
        said = _canonical([_SCHEME, namespace, identity])
        self._prefix = hashlib.sha256(_counted(said.encode()))

    def key(self, model: str, chat_req: ChatRequest, options: ChatOptions | None) -> str | None:
        """64 hexadecimal digits, or None for a request that cannot be written as JSON."""
        try:
            said = identity_of_options(options) if options is not None else None
            digest = self._prefix.copy()
            digest.update(_counted(model.encode()))
            digest.update(_counted(_request(chat_req)))
            digest.update(_canonical(said).encode() if said else b"")
        except (PydanticSerializationError, ValueError, TypeError, RecursionError):
            return None
        return digest.hexdigest()


def _counted(data: bytes) -> bytes:
    """A part with its length before it, so that no two lists of parts look alike."""
    return b"%d:%b" % (len(data), data)


def _request(chat_req: ChatRequest) -> bytes:
    if _is_plain(chat_req):
        return chat_req.__pydantic_serializer__.to_json(chat_req, exclude_none=True, warnings=False)
    return _canonical(chat_req.model_dump(mode="json", exclude_none=True, warnings=False)).encode()


def _is_plain(chat_req: ChatRequest) -> bool:
    if chat_req.tools:
        return False
    for message in chat_req.messages:
        for part in message.content:
            if part.__class__ not in _PLAIN:
                return False
    return True
