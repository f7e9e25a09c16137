"""The schema of a whole document: one stack or several, what they include and use, and every registered kind."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic.json_schema import models_json_schema

from ..errors import ConfigError
from ..masking import scrub
from ..plugin_errors import is_ours
from ..registry import available, origin_of
from ..spec import ExecutorSpec, LayerSpec, Spec
from ..target import Target
from .docstrings import summary
from .generator import PLACE, SpecSchema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

__all__ = ["document_schema"]

_logger = logging.getLogger("lamellar.schema")

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAME = r"^[\w.-]{1,100}$"

_VERSION: JsonSchemaValue = {"const": 1, "description": "The version of the format.", "default": 1}
_LAYERS: JsonSchemaValue = {
    "type": "array",
    "items": {"$ref": "#/$defs/layer"},
    "description": "The layers, the first listed outermost.",
}
_EXECUTOR: JsonSchemaValue = {"$ref": "#/$defs/executor", "description": "The executor that the layers wrap."}


class TargetOptions(Target):
    """One target of a composite: layers of its own, an executor, and how the request is changed for it."""


def document_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a document, with every kind that is registered and can be loaded."""
    layers, executors = available(LayerSpec), available(ExecutorSpec)  # type: ignore[type-abstract]
    told = [model for model in (*layers.values(), *executors.values()) if _can_be_told(model)]
    references, made = _schemas([*told, TargetOptions])
    made = _direct(made)
    for model in told:
        if not _stands_alone(model):
            _needs_something(made["$defs"][references[model, "validation"]["$ref"].rpartition("/")[2]])
    names: dict[Any, JsonSchemaValue] = {model: reference for (model, _), reference in references.items()}
    definitions = {
        **made.get("$defs", {}),
        "layer": _plate(layers, names, "A layer: its kind, or its kind with options."),
        "executor": _plate(
            executors, names, "An executor: its kind, or its kind with options.", {"stack": _INNER_STACK}
        ),
        "target": {
            "description": "A target: its options, or its executor alone.",
            "anyOf": [names[TargetOptions], {"$ref": "#/$defs/executor"}],
        },
        "secret": _SECRET,
        "value": _VALUE,
        "duration": _DURATION,
        "size": _SIZE,
        "use": _USE,
        "stack": _STACK,
    }
    whole = {
        "$schema": _DIALECT,
        "title": "Lamellar stack",
        "description": "A stack of Lamellar: layers, then one executor; or several stacks by name.",
        "type": "object",
        "properties": {
            "version": _VERSION,
            "layers": _LAYERS,
            "executor": _EXECUTOR,
            "stacks": {
                "type": "object",
                "description": "Stacks by name. One with `layers` only is a group of layers, for others to use.",
                "propertyNames": {"pattern": _NAME},
                "additionalProperties": {"$ref": "#/$defs/stack"},
                "minProperties": 1,
            },
            "default": {"type": "string", "description": "The stack that is meant where none is named."},
            "include": {
                "description": "Other documents whose stacks may be used here; their paths begin at this one.",
                "anyOf": [_PATH, {"type": "array", "items": _PATH}],
            },
        },
        "additionalProperties": False,
        "anyOf": [{"required": ["executor"]}, {"required": ["stacks"]}, {"required": ["include"]}],
        "dependentSchemas": {
            "stacks": {"not": {"anyOf": [{"required": ["layers"]}, {"required": ["executor"]}]}},
            "default": {"not": {"anyOf": [{"required": ["layers"]}, {"required": ["executor"]}]}},
            "layers": {"required": ["executor"]},
        },
        "$defs": dict(sorted(definitions.items())),
    }
    placed: dict[str, Any] = _placed(whole)
    return placed


_PATH: JsonSchemaValue = {"type": "string", "minLength": 1}

_STACK: JsonSchemaValue = {
    "type": "object",
    "description": "A stack: layers, then one executor. Without an executor, a group of layers.",
    "properties": {"layers": _LAYERS, "executor": _EXECUTOR},
    "anyOf": [{"required": ["executor"]}, {"required": ["layers"]}],
    "additionalProperties": False,
}

_INNER_STACK: JsonSchemaValue = {
    "description": "A stack in the place of an executor.",
    "allOf": [{"$ref": "#/$defs/stack"}, {"required": ["executor"]}],
}

_USE: JsonSchemaValue = {
    "type": "object",
    "description": "What stands under this name in `stacks`, here or in an included document.",
    "properties": {"use": {"type": "string", "pattern": _NAME}},
    "required": ["use"],
    "additionalProperties": False,
}

_SECRET: JsonSchemaValue = {
    "description": "A key: where it is found, rather than the key itself.",
    "anyOf": [
        {
            "type": "object",
            "properties": {"env": {"type": "string", "minLength": 1, "description": "The environment variable."}},
            "required": ["env"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"file": {"type": "string", "minLength": 1, "description": "The file."}},
            "required": ["file"],
            "additionalProperties": False,
        },
        {"type": "string", "minLength": 1, "deprecated": True, "description": "The key itself: do not write it here."},
    ],
}

_DURATION: JsonSchemaValue = {
    "description": "Seconds as a number, or text such as `250ms`, `10s`, `5m`, `1m30s`, `2h`.",
    "anyOf": [
        {"type": "number", "minimum": 0},
        {
            "type": "string",
            "pattern": r"^(\s*(\d+(\.\d+)?|\.\d+)\s*(ms|s|m|h|d))+\s*$|^\s*\d+(\.\d*)?\s*$",
            "examples": ["250ms", "10s", "5m", "1m30s", "2h"],
        },
    ],
}

_SIZE: JsonSchemaValue = {
    "description": "Bytes as a number, or text such as `512kB`, `64MB`, `1GiB`.",
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {
            "type": "string",
            "pattern": r"^\s*(\d+(\.\d+)?|\.\d+)\s*([kKmMgGtT][iI]?[bB]|[bB])?\s*$",
            "examples": ["512kB", "64MB", "1GiB"],
        },
    ],
}

_SCALAR: JsonSchemaValue = {"type": ["string", "number", "boolean", "null"]}

_VALUE: JsonSchemaValue = {
    "type": "object",
    "description": "A value from the environment or from a file.",
    "properties": {
        "env": {"type": "string", "minLength": 1, "description": "The environment variable."},
        "file": {"type": "string", "minLength": 1, "description": "The file; its path begins at this document."},
        "default": {**_SCALAR, "description": "The value where that is not there."},
    },
    "oneOf": [{"required": ["env"]}, {"required": ["file"]}],
    "additionalProperties": False,
}


def _schemas(models: Sequence[type[Spec]]) -> Any:
    """Pydantic's references to these models, and their definitions."""
    modes: Any = [(model, "validation") for model in models]
    return models_json_schema(modes, ref_template="#/$defs/{model}", schema_generator=SpecSchema)


def _can_be_told(model: type[Spec]) -> bool:
    """Whether its options have a schema; those of a plugin may have none, and that must not cost the others theirs."""
    if is_ours(model):
        return True
    try:
        _schemas([model])
        _stands_alone(model)
    except Exception as error:
        told = scrub(f"{type(error).__name__}: {error}".splitlines()[0])
        _logger.warning(
            "the options of '%s' (%s) cannot be told, so the schema takes anything there: %s",
            model.kind,
            origin_of(model),
            told,
        )
        return False
    return True


def _plate(
    found: Mapping[str, type[Spec]],
    names: dict[Any, JsonSchemaValue],
    text: str,
    more: Mapping[str, JsonSchemaValue] | None = None,
) -> JsonSchemaValue:
    """One of these kinds; a bare name where it can do without options."""
    options: dict[str, JsonSchemaValue] = {}
    alone: list[JsonSchemaValue] = []
    for kind, model in found.items():
        description = {"description": summary(model)}
        if model not in names:
            options[kind] = description
            alone.append({"const": kind, **description})
        elif _stands_alone(model):
            options[kind] = {**description, "anyOf": [names[model], {"type": "null"}]}
            alone.append({"const": kind, **description})
        else:
            options[kind] = {**description, "anyOf": [names[model]]}
    one: JsonSchemaValue = {
        "type": "object",
        "properties": {**options, **(more or {})},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    return {"description": text, "anyOf": [*alone, one, {"$ref": "#/$defs/use"}]}


def _stands_alone(model: type[Spec]) -> bool:
    """Whether it takes every default."""
    try:
        model.model_validate({})
    except (ConfigError, ValidationError):
        return False
    return True


def _direct(made: Any) -> Any:
    """Pydantic's definitions without those that only lead to a place: what refers to them has the place itself."""
    places = {f"#/$defs/{name}": said for name, said in made.get("$defs", {}).items() if PLACE in said}

    def walked(schema: Any) -> Any:
        if isinstance(schema, list):
            return [walked(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        place = places.get(str(schema.get("$ref")), {})
        rest = {name: walked(each) for name, each in schema.items() if not (place and name == "$ref")}
        return {**rest, PLACE: place[PLACE]} if place else rest

    kept = {name: said for name, said in made.get("$defs", {}).items() if f"#/$defs/{name}" not in places}
    return walked({**made, "$defs": kept})


def _needs_something(schema: dict[str, Any]) -> None:
    """Of a kind that cannot do without options: its targets are required, or any option is."""
    properties = schema.get("properties", {})
    targets = [name for name, said in properties.items() if said.get("items", {}).get(PLACE) == "target"]
    if schema.get("required"):
        return
    if len(targets) != 1:
        schema["minProperties"] = 1
        return
    schema["required"] = targets
    properties[targets[0]] = {**properties[targets[0]], "minItems": 1}
    properties[targets[0]].pop("default", None)


def _placed(schema: Any) -> Any:
    """`schema` with references where the generator left places."""
    if isinstance(schema, list):
        return [_placed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: _placed(each) for name, each in schema.items() if name != PLACE}
    if PLACE in schema:
        told["$ref"] = f"#/$defs/{schema[PLACE]}"
    return told
