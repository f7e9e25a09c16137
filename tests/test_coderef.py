"""Callables by name."""

from __future__ import annotations

import functools
import os.path
from collections.abc import Callable

import pytest
from pydantic import TypeAdapter

from lamellar.coderef import CodeRef, import_reference, reference_to
from lamellar.errors import ConfigError


class Judge:
    def __call__(self) -> bool:
        return True

    def method(self) -> bool:
        return True

    @classmethod
    def make(cls) -> Judge:
        return cls()

    @staticmethod
    def plain() -> bool:
        return True


def a_function() -> None: ...


@pytest.mark.parametrize("found", [os.path.join, Judge, Judge.plain, Judge.make, a_function, functools.partial, len])
def test_a_callable_with_a_name_goes_there_and_back(found: Callable[..., object]) -> None:
    assert import_reference(reference_to(found)) == found


def shadowed() -> int:
    return 1


first_of_the_name = shadowed


def shadowed() -> int:  # type: ignore[no-redef]
    return 2


@pytest.mark.parametrize(
    "found",
    [lambda: 1, Judge(), Judge().method, functools.partial(len, []), [].append, first_of_the_name],
    ids=["lambda", "object", "bound method", "partial", "builtin method", "shadowed"],
)
def test_what_no_file_can_name_is_not_dumped(found: Callable[..., object]) -> None:
    with pytest.raises(ConfigError, match="cannot be written to a file"):
        reference_to(found)


def test_a_closure_is_not_dumped() -> None:
    def inner() -> None: ...

    with pytest.raises(ConfigError, match="define it in a module"):
        reference_to(inner)


@pytest.mark.parametrize("text", ["", "json", "json:", ":dumps", "json.dumps"])
def test_text_that_names_no_callable_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write 'package\.module:name'"):
        import_reference(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no_such_module_at_all:x", "No module named"),
        ("json:no_such_name", "no_such_name"),
        ("..json:dumps", "cannot be imported"),
        ("json:__name__", "is not callable, it is a str"),
    ],
)
def test_what_cannot_be_had_is_named(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        import_reference(text)


def test_a_module_that_fails_when_it_is_imported_is_a_config_error(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_plugin_of_a_test.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"broken_plugin_of_a_test:f.*ZeroDivisionError"):
        import_reference("broken_plugin_of_a_test:f")


def test_a_field_takes_a_callable_or_its_name_and_is_dumped_by_name() -> None:
    field = TypeAdapter(CodeRef)
    assert field.validate_python("os.path:join") is os.path.join is field.validate_python(os.path.join)
    assert field.dump_python(field.validate_python("json:dumps"), mode="json") == "json:dumps"
    assert field.json_schema()["type"] == "string"
