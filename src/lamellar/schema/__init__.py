"""The JSON Schema of stack documents, for editors: see `lamellar.stack.Stack.json_schema`."""

from __future__ import annotations

from .document import document_schema

__all__ = ["document_schema"]
