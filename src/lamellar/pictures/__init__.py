"""Pictures of a declared stack: Mermaid text and SVG, drawn from one outline; they need no keys and no network."""

from __future__ import annotations

from .mermaid import to_mermaid
from .svg import to_svg

__all__ = ["to_mermaid", "to_svg"]
