"""JSON schemas of answers, for providers that have no place for what describes one but the schema itself."""

from __future__ import annotations

from pydantic import JsonValue

from ..chat.options import JsonSchemaFormat

__all__ = ["described_schema"]


def described_schema(form: JsonSchemaFormat) -> dict[str, JsonValue]:
    """The schema; what describes it stands in it, unless it has a description of its own."""
    if form.description is None or "description" in form.schema:
        return form.schema
    return {**form.schema, "description": form.description}
