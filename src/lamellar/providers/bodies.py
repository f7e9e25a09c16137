"""Bodies of requests whose options stand in objects of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["merged"]


def merged(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`more` over `body`, object by object, so that one option of an object does not take the place of all."""
    whole = dict(body)
    for name, value in more.items():
        before = whole.get(name)
        whole[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return whole
