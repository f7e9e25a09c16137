"""Pydantic's JSON Schema of the specs, in the words of a document: what a file may say, not what a constructor takes.

Pydantic knows types, bounds and defaults. Added here are the text forms of durations and sizes, the places of layers,
executors and targets, the words of the docstrings, and values that stand elsewhere (`{env: NAME}`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from ..config.values import takes_value
from ..durations import parse_duration
from ..places import inside, members
from ..secrets import Secret
from ..sizes import parse_size
from ..spec import ExecutorSpec, LayerSpec
from ..target import Target
from .docstrings import option_texts, summary

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

__all__ = ["PLACE", "SpecSchema"]

PLACE = "x-lamellar-place"
"""Stands for a layer, an executor, a target or a value from elsewhere until the whole document is put together."""

_WRITTEN = {parse_duration: "duration", parse_size: "size"}
"""What the values of a validator are called in a document."""

_PLACES: tuple[tuple[type[BaseModel], str], ...] = (
    (LayerSpec, "layer"),
    (ExecutorSpec, "executor"),
    (Target, "target"),
    (Secret, "secret"),
)


class SpecSchema(GenerateJsonSchema):
    """The schema of specs as data of a document."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """What a validator accepts where it accepts more than its type."""
        function: Any = schema["function"]["function"]
        if getattr(function, "__hash__", None) is not None and function in _WRITTEN:
            return {PLACE: _WRITTEN[function]}
        found = super().function_before_schema(schema)
        name = getattr(function, "__name__", "")
        if "one_or_many" in name or name == "as_tuple":
            return _one_or_many(found)
        return found

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A model's options with their words; a place for what is put together elsewhere."""
        model = schema["cls"]
        for base, place in _PLACES:
            if model is base:
                return {PLACE: place}
        found = super().model_schema(schema)
        return _in_words(found, model)


def _one_or_many(schema: JsonSchemaValue) -> JsonSchemaValue:
    """A list, or what stands in it alone."""
    lists = [each for each in schema.get("anyOf", [schema]) if each.get("type") == "array"]
    alone = [each["items"] for each in lists if isinstance(each.get("items"), dict)]
    return {"anyOf": [*alone, *schema.get("anyOf", [schema])]} if alone else schema


def _in_words(schema: JsonSchemaValue, model: type[BaseModel]) -> JsonSchemaValue:
    """The model's schema with what its docstring says, and with values from elsewhere where the document takes them."""
    told, texts = dict(schema), option_texts(model)
    told.pop("title", None)
    told["description"] = summary(model)
    properties = {}
    for name, said in schema.get("properties", {}).items():
        field = model.model_fields.get(name)
        properties[name] = _option(said, field, texts.get(name))
    if properties:
        told["properties"] = properties
    return {name: value for name, value in told.items() if value != ""}


def _option(said: JsonSchemaValue, field: FieldInfo | None, text: str | None) -> JsonSchemaValue:
    told = {name: value for name, value in said.items() if name != "title"}
    if field is not None:
        told = _from_elsewhere(told, field.annotation)
    if text and "description" not in told:
        told["description"] = text
    return told


_BESIDE = ("default", "description", "deprecated", "examples", "title")
"""What is said of an option as a whole, not of one of its forms."""


def _from_elsewhere(said: JsonSchemaValue, annotation: Any) -> JsonSchemaValue:
    """The schema with `{env: NAME}` and `{file: path}` where this option takes them, or what stands inside it."""
    choices = members(annotation)
    if takes_value(choices):
        form = {name: value for name, value in said.items() if name not in _BESIDE}
        rest = {name: value for name, value in said.items() if name in _BESIDE}
        forms = form["anyOf"] if form.keys() == {"anyOf"} else [form]
        said = {"anyOf": [*forms, {PLACE: "value"}], **rest}
    for choice in choices:
        each = inside(choice, "") if not (isinstance(choice, type) and issubclass(choice, BaseModel)) else None
        if each is not None:
            said = _inside(said, each)
    return said


def _inside(said: JsonSchemaValue, annotation: Any) -> JsonSchemaValue:
    """The schema of a list or mapping whose values may stand elsewhere."""
    if "anyOf" in said:
        return {**said, "anyOf": [_inside(each, annotation) for each in said["anyOf"]]}
    told = dict(said)
    for name in ("items", "additionalProperties"):
        if isinstance(told.get(name), dict):
            told[name] = _from_elsewhere(told[name], annotation)
    return told
