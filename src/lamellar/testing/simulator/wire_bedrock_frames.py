"""Frames of AWS's binary event stream, as the smithy specification lays them out.

See https://smithy.io/2.0/aws/amazon-eventstream.html. Only headers that hold text are written: AWS sends no others.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

from pydantic import JsonValue

__all__ = ["event", "frame"]

_TEXT = 7
"""The type of a header that holds text."""


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame."""
    block = b"".join(
        len(name.encode()).to_bytes(1)
        + name.encode()
        + bytes([_TEXT])
        + len(value.encode()).to_bytes(2)
        + value.encode()
        for name, value in headers.items()
    )
    prelude = (16 + len(block) + len(payload)).to_bytes(4) + len(block).to_bytes(4)
    prelude += zlib.crc32(prelude).to_bytes(4)
    message = prelude + block + payload
    return message + zlib.crc32(message).to_bytes(4)


def event(name: str, /, **fields: JsonValue) -> bytes:
    """An event. Bedrock pads each with letters of no meaning, so that its length tells nothing of what is in it."""
    payload = {**fields, "p": "abcdefghijklmnopqrstuvwxyz"[: 1 + len(json.dumps(fields)) * 7 % 26]}
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())
