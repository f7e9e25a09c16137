"""Stacks as text: YAML, TOML and JSON are three spellings of the same data."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from .errors import ConfigError
from .frozen import explain

if TYPE_CHECKING:
    import os

    from .stack import Stack

__all__ = ["dump", "load", "loads"]

StackT = TypeVar("StackT", bound="Stack")

_FORMATS = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}
_MAX_BYTES = 1 << 20


def load(model: type[StackT], path: str | os.PathLike[str]) -> StackT:
    """A stack from a file, by its ending."""
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in _FORMATS:
        raise ConfigError(f"{file}: unknown kind of file '{suffix}'; name it .yaml, .toml or .json")
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{file}: larger than {_MAX_BYTES} bytes; is this a stack?")
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from None
    return _parse(model, text, _FORMATS[suffix], f"{file}: ")


def loads(model: type[StackT], text: str, format: str) -> StackT:  # noqa: A002
    """A stack from text."""
    return _parse(model, text, format, "")


def _parse(model: type[StackT], text: str, format: str, where: str) -> StackT:  # noqa: A002
    data = _read(text, format, where)
    if data is None:
        raise ConfigError(f"{where}the file is empty; it needs at least `executor:`")
    if not isinstance(data, dict):
        found = type(data).__name__
        raise ConfigError(f"{where}expected a mapping with `version`, `layers` and `executor`, got {found}")
    problems: list[str] = []
    if "executor" not in data:
        # Told with everything else that is wrong, for instance a misspelt `executor`.
        problems.append("executor: required, but missing; for example `executor: openai`")
        data = {**data, "executor": "openai"}
    stack: StackT | None = None
    try:
        stack = model.model_validate(data)
    except ValidationError as error:
        problems += explain(error, model, prefix="").problems
    except ConfigError as error:
        problems += error.problems
    if problems or stack is None:
        raise ConfigError("\n".join(where + problem for problem in problems), problems=problems)
    return stack


def _read(text: str, format: str, where: str) -> object:  # noqa: A002
    if format == "json":
        try:
            return json.loads(text, object_pairs_hook=_once_each) if text.strip() else None
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where}not JSON: {error}") from None
    if format == "toml":
        import tomllib

        try:
            return tomllib.loads(text) or None
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where}not TOML: {error}") from None
    if format == "yaml":
        yaml = _yaml()
        try:
            return yaml.load(text, _loader(yaml))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
            raise ConfigError(f"{where}{place}not YAML: {getattr(error, 'problem', None) or error}") from None
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where}not YAML: {error}") from None
    raise ConfigError(f"format: expected yaml, toml or json, got {format!r}")


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name in found if [each for each, _ in pairs].count(name) > 1)
        raise ValueError(f"'{twice}' is said twice in one mapping")
    return found


@cache
def _loader(yaml: Any) -> Any:
    """PyYAML's safe loader, but a name that is said twice is an error: it would hide the first."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"'{key.value}' is said twice in one mapping", key.start_mark
                    )
                if isinstance(key.value, str):
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Loader


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise ConfigError("reading YAML needs PyYAML; install it with: pip install 'lamellar[yaml]'") from None
    return yaml


def dump(stack: Stack, format: str) -> str:  # noqa: A002
    """A stack as text of a file."""
    try:
        data = {"version": stack.version, **stack.model_dump(mode="json", exclude_unset=True)}
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ConfigError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            raise ConfigError(str(cause)) from None
        refused = str(error).partition("ConfigError: ")[2]
        if refused:
            raise ConfigError(refused) from None
        raise
    if format == "json":
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if format == "yaml":
        return str(_yaml().safe_dump(data, sort_keys=False, allow_unicode=True))
    if format == "toml":
        try:
            import tomli_w
        except ImportError:
            raise ConfigError("writing TOML needs tomli-w; install it with: pip install 'lamellar[toml]'") from None
        try:
            return str(tomli_w.dumps(data))
        except TypeError as error:  # None, of which TOML knows nothing
            raise ConfigError(f"TOML cannot say this: {error}; write YAML or JSON") from None
    raise ConfigError(f"format: expected yaml, toml or json, got {format!r}")
