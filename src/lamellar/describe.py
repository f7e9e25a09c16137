"""Drawing a declared stack as text, and which of a plate's options any drawing shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .masking import masked, on_one_line, scrub
from .spec import Spec

__all__ = ["options_said", "tree"]


def tree(spec: Spec) -> str:
    """`spec` as a tree of text: each layer holds what stands below it."""
    lines: list[str] = [_title(spec)]
    _branch(spec, "", lines)
    return "\n".join(lines)


def options_said(spec: Spec) -> Iterator[tuple[str, object]]:
    """The options that a drawing shows: those that were said, but for the plates, which are drawn themselves."""
    hidden = {"version"}
    if spec.kind == "given":
        hidden |= {"executor"}
    if spec.kind == "target":  # its name is its title, and without a name the model is a part of that
        hidden |= {"name"} if getattr(spec, "name", None) else {"model"}
    for name, value in spec:
        if name in spec.model_fields_set and name not in hidden and not _holds_plates(value):
            yield name, value


def _holds_plates(value: object) -> bool:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return isinstance(value, Spec) or (
        isinstance(value, tuple | list) and any(isinstance(each, Spec) for each in value)
    )


def _branch(spec: Spec, indent: str, lines: list[str], *, more: bool = False) -> None:
    """What stands inside `spec`; `more` says that another plate follows at this indent."""
    if spec.kind in ("stack", "target"):
        _chain(spec.children(), indent, lines)
        return
    children, ways = spec.children(), spec.ways()
    for place, child in enumerate(children):
        way = _way(ways[place] if len(ways) == len(children) else "", child)
        last = place == len(children) - 1 and not more
        lines.append(f"{indent}{'└─' if last else '├─'} {way}{_title(child)}")
        _branch(child, indent + ("   " if last else "│  "), lines)


def _chain(plates: tuple[Spec, ...], indent: str, lines: list[str]) -> None:
    """Layers nest: each plate stands inside the one before it, after what else that one leads to."""
    for place, plate in enumerate(plates):
        lines.append(f"{indent}└─ {_title(plate)}")
        indent += "   "
        _branch(plate, indent, lines, more=place < len(plates) - 1)


def _way(way: str, child: Spec) -> str:
    """What leads to a child, where the order of the lines and its name do not say so."""
    return "" if not way or way.isdigit() or way == getattr(child, "label", None) else f"[{on_one_line(scrub(way))}] "


def _title(spec: Spec) -> str:
    names = [spec.kind]
    if spec.kind in ("target", "given"):
        names.append(on_one_line(getattr(spec, "label", spec.kind)))
    said = [f"{name}={_brief(masked(value))}" for name, value in options_said(spec)]
    return " ".join([*names, *said])


def _brief(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = on_one_line(value if isinstance(value, str) else repr(value))
    return text if len(text) <= 60 else text[:57] + "..."
