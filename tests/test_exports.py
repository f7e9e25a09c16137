"""The public face: complete, sorted, typed and documented."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args, get_type_hints

import pytest

import lamellar
from lamellar import _version

from .house import modules, tree

FACES = ("lamellar", "lamellar.middleware", "lamellar.providers", "lamellar.testing")
PUBLIC = [(face, name) for face in FACES for name in import_module(face).__all__ if not name.startswith("__")]


def type_checking_names(module: str) -> set[str]:
    return {
        alias.asname or alias.name
        for node in tree(module).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for each in ast.walk(node)
        if isinstance(each, ast.ImportFrom)
        for alias in each.names
    }


@pytest.mark.parametrize("face", FACES)
def test_all_is_sorted_and_names_nothing_twice(face: str) -> None:
    names = import_module(face).__all__
    assert len(set(names)) == len(names)
    assert list(names) == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_every_public_name_is_there() -> None:
    assert [f"{face}.{name}" for face, name in PUBLIC if getattr(import_module(face), name, None) is None] == []


@pytest.mark.parametrize("face", FACES)
def test_what_type_checkers_see_is_what_there_is(face: str) -> None:
    lazy = type_checking_names(face)
    if lazy:
        assert lazy | {"__version__"} == set(import_module(face).__all__) | {"__version__"}


@pytest.mark.parametrize("face", [face for face in FACES if hasattr(import_module(face), "_HOMES")])
def test_every_lazy_name_has_one_home_where_it_is_public(face: str) -> None:
    module = import_module(face)
    homes = module._HOMES
    placed = (
        [(home, name) for home, names in homes.items() for name in names]
        if isinstance(next(iter(homes.values())), tuple)
        else [(home, name) for name, home in homes.items()]
    )
    names = [name for _, name in placed]
    assert len(set(names)) == len(names)
    assert set(names) == set(module.__all__) - {"__version__"}
    for home, name in placed:
        assert name in import_module(f"{face}.{home}").__all__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    for face in FACES:
        with pytest.raises(AttributeError, match="no_such_name"):
            _ = import_module(face).no_such_name


def test_completion_shows_the_public_names_alone() -> None:
    for face in ("lamellar", "lamellar.middleware", "lamellar.providers"):
        assert dir(import_module(face)) == sorted(import_module(face).__all__)


def test_star_imports_bring_all_of_it() -> None:
    code = "\n".join([*[f"from {face} import *" for face in FACES], "print(Stack, Retry, OpenAI, ManualClock)"])
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.count(b"class") == 4


def test_the_version_is_one_of_pep_440() -> None:
    assert lamellar.__version__ == _version.__version__
    assert re.fullmatch(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.dev\d+)?", lamellar.__version__)


# -- every module ----------------------------------------------------------------------------------------------------


def defined(module: str) -> set[str]:
    """Public functions and classes that a module defines."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name for node in tree(module).body if isinstance(node, kinds) and not node.name.startswith("_")}


def test_a_module_with_public_names_lists_them() -> None:
    missing, unlisted = [], []
    for module in modules():
        names = getattr(import_module(module), "__all__", None) if not module.endswith("__main__") else ()
        if names is None:
            unlisted += [f"{module}.{name}" for name in sorted(defined(module))]
        else:
            missing += [f"{module}.{name}" for name in names if not hasattr(import_module(module), name)]
    assert missing == [], "in an __all__, and not there"
    assert unlisted == [], "public, in a module without an __all__"


def test_every_module_says_what_it_is_for() -> None:
    assert [module for module in modules() if not ast.get_docstring(tree(module))] == []


# -- every public object ---------------------------------------------------------------------------------------------


def members(found: object) -> Iterator[tuple[str, Any]]:
    """The public functions, methods and properties of a public object that are our own."""
    if inspect.isfunction(found):
        yield found.__name__, found
    if not inspect.isclass(found):
        return
    for name, each in vars(found).items():
        if name.startswith("_") and name != "__init__":
            continue
        function = getattr(each, "fget", None) or getattr(each, "__func__", each)
        if inspect.isfunction(function) and function.__module__.split(".")[0] in ("lamellar", "lamellar_middleware"):
            yield f"{found.__name__}.{name}", function


CALLABLES = {
    f"{face}:{where}": function
    for face, name in PUBLIC
    for where, function in members(getattr(import_module(face), name))
}


def test_every_public_object_is_documented() -> None:
    objects = {f"{face}.{name}": getattr(import_module(face), name) for face, name in PUBLIC}
    documented = {
        where: found for where, found in objects.items() if inspect.isclass(found) or inspect.isfunction(found)
    }
    assert documented
    assert [where for where, found in documented.items() if len((found.__doc__ or "").strip()) <= 10] == []


def test_every_public_method_is_documented() -> None:
    methods = {where: function for where, function in CALLABLES.items() if not where.endswith("__init__")}
    assert methods
    assert [where for where, function in methods.items() if not function.__doc__] == []


def mentions_any(hint: object) -> bool:
    return hint is Any or any(mentions_any(each) for each in get_args(hint))


def test_no_public_signature_says_any() -> None:
    assert CALLABLES
    loose = {where: names for where, function in CALLABLES.items() if (names := said_any(where, function))}
    assert loose == {}, "parameters (or the return) that say Any"


def said_any(where: str, function: Any) -> list[str]:
    spread = {
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and where.endswith("__init__")
    }  # the fields of a pydantic model: the plugin and the dataclass transform say what they are
    source = sys.modules[function.__module__]
    names = {name: value for name, value in vars(import_module("typing")).items() if name[0].isupper()}
    typing_only = {}
    for node in ast.walk(tree(function.__module__)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            exec(compile(ast.Module(absolute(node.body, function.__module__), []), "typing only", "exec"), typing_only)
    try:
        hints = get_type_hints(function, {**names, **typing_only, **vars(source)})
    except Exception as error:
        raise AssertionError(f"the hints of {where} cannot be read: {error}") from error
    return [name for name, hint in hints.items() if name not in spread and mentions_any(hint)]


def absolute(body: list[ast.stmt], module: str) -> list[ast.stmt]:
    """Imports under `if TYPE_CHECKING`, with absolute names."""
    package = module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            name = ".".join([*above, *([node.module] if node.module else [])])
            found.append(ast.copy_location(ast.ImportFrom(name, node.names, 0), node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
    return found
