"""Drawing a declared stack."""

from __future__ import annotations

from .masking import masked
from .spec import Spec

__all__ = ["tree"]


def tree(spec: Spec) -> str:
    """`spec` as a tree of text: each layer holds what stands below it."""
    lines: list[str] = [_title(spec)]
    _branch(spec, "", lines)
    return "\n".join(lines)


def _branch(spec: Spec, indent: str, lines: list[str]) -> None:
    children = spec.children()
    if spec.kind in ("stack", "target"):
        # Layers nest: each plate stands inside the one before it.
        for child in children:
            lines.append(f"{indent}└─ {_title(child)}")
            indent += "   "
        if children:
            _branch(children[-1], indent, lines)
        return
    for place, child in enumerate(children):
        last = place == len(children) - 1
        lines.append(f"{indent}{'└─' if last else '├─'} {_title(child)}")
        _branch(child, indent + ("   " if last else "│  "), lines)


def _title(spec: Spec) -> str:
    label = getattr(spec, "label", spec.kind)
    hidden = {"layers", "executor", "targets", "routes", "version"}
    names = [spec.kind]
    if spec.kind in ("target", "given"):
        names.append(label)
        hidden |= {"name"} if getattr(spec, "name", None) else {"model"}
    nested = {id(child) for child in spec.children()}
    said = [
        f"{name}={_brief(masked(value))}"
        for name, value in spec
        if name in spec.model_fields_set
        and name not in hidden
        and id(value) not in nested
        and not isinstance(value, Spec)  # a plate, and drawn as one
    ]
    return " ".join([*names, *said])


def _brief(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
