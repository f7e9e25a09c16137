"""JSON Schemas as the provider's structured output takes them."""

from __future__ import annotations

from pydantic import JsonValue

__all__ = ["closed"]

_OF_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions")
_SCHEMAS = ("anyOf", "allOf", "oneOf", "prefixItems")
_SCHEMA = ("items", "not", "additionalProperties")


def closed(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A copy in which every object says that it has no further properties, which the provider demands.

    An object that already speaks of `additionalProperties` stays as it is, and nothing else is changed
    (https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations).
    """
    found = dict(schema)
    for key in _OF_SCHEMAS:
        named = found.get(key)
        if isinstance(named, dict):
            found[key] = {name: _closed(inner) for name, inner in named.items()}
    for key in _SCHEMAS:
        several = found.get(key)
        if isinstance(several, list):
            found[key] = [_closed(inner) for inner in several]
    for key in _SCHEMA:
        if key in found:
            found[key] = _closed(found[key])
    if found.get("type") == "object" and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


def _closed(value: JsonValue) -> JsonValue:
    return closed(value) if isinstance(value, dict) else value
