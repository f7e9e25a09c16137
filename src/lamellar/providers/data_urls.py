"""Bytes that stand in their own URL (``data:image/png;base64,…``): for dialects that take bytes, but no such URL."""

from __future__ import annotations

from ..chat.content import Binary

__all__ = ["with_bytes"]

_MARK = ";base64"


def with_bytes(part: Binary) -> Binary:
    """The part with the bytes of its data URL as its source; any other part as it is.

    The media type is the part's own. A data URL that is not in base64 stays as it is.
    """
    url = part.source.url
    if url is None or url[:5].lower() != "data:":
        return part
    head, comma, data = url.partition(",")
    if not comma or not head.lower().endswith(_MARK):
        return part
    return Binary.from_base64(part.content_type, data, part.name)
