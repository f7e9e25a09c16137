"""For the reference: the fields of frozen models and named tuples are the parameters of their constructors."""

from __future__ import annotations

import ast
from typing import Any

from griffe import Class, Extension, Function, Module, Parameter, ParameterKind, Parameters


class Fields(Extension):
    """Gives a class with fields the signature that its constructor has."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        """Called once a package is loaded."""
        _visit(pkg)


def _visit(holder: Module | Class) -> None:
    for member in list(holder.members.values()):
        if member.is_alias:
            continue
        if member.is_class:
            _give_signature(member)  # type: ignore[arg-type]
        if member.is_class or member.is_module:
            _visit(member)  # type: ignore[arg-type]


def _give_signature(cls: Class) -> None:
    bases = [str(base) for base in cls.bases]
    if "dataclass" in cls.labels or any(base.startswith("Protocol") for base in bases) or bases in (["ABC"], ["Enum"]):
        return
    found = cls.members.get("__init__")
    own = list(found.parameters) if found is not None and not found.is_alias else []  # type: ignore[union-attr]
    by_position = (ParameterKind.var_positional, ParameterKind.positional_only)
    if any(each.name not in ("self", "data") and each.kind not in by_position for each in own):
        return
    fields: dict[str, Parameter] = {}
    for each in reversed([cls, *_ancestors(cls)]):
        members: dict[str, Any] = each.members
        for name, attribute in members.items():
            annotated = attribute.is_attribute and attribute.annotation is not None and not name.startswith("_")
            if annotated and "instance-attribute" in attribute.labels:  # a ClassVar is not one
                fields[name] = _parameter(name, attribute)
    if not fields:
        return
    if "NamedTuple" in bases:
        for field in fields.values():
            field.kind = ParameterKind.positional_or_keyword
    plates = [each for each in own if each.kind is ParameterKind.var_positional]
    init = Function("__init__", parameters=Parameters(Parameter("self"), *plates, *fields.values()))
    cls.set_member("__init__", init)


def _ancestors(cls: Class) -> list[Class]:
    try:
        return list(cls.mro())
    except Exception:  # a base in a package that is not loaded
        return []


def _parameter(name: str, attribute: Any) -> Parameter:
    default = None if attribute.value is None else _default(str(attribute.value))
    return Parameter(name, annotation=attribute.annotation, kind=ParameterKind.keyword_only, default=default)


def _default(text: str) -> str | None:
    """The default in `Field(default=…)`, or the value itself."""
    try:
        value = ast.parse(text, mode="eval").body
    except SyntaxError:
        return text
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Field":
        found = [keyword.value for keyword in value.keywords if keyword.arg == "default"]
        return ast.unparse(found[0]) if found else None
    return text
